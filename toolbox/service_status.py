"""The table of `invoke status`: the state of each service, and the resources that it uses."""

import json
import re
from datetime import datetime, timezone

from rich.filesize import decimal as human_size

from . import addresses, compose, console, work_folder

# The data directory of each service, and the command that prints its version.
STORES = {
    "postgres": ("/var/lib/postgresql/data", ["psql", "--version"]),
    "mlflow": ("/mlflow/artifacts", ["head", "-n", "1", "/opt/mlflow/revisions"]),
    "notebook": (
        "/home/jovyan",
        ["python", "-c", 'from importlib.metadata import version; print(version("jupyterlab"))'],
    ),
}
PROGRAMS = {"postgres": "Postgres", "mlflow": "MLflow", "notebook": "JupyterLab"}
# Run in a container, with folders and the command for the version as arguments, so that one call of Docker is enough.
# As in `docker stats`, memory does not include the cache of inactive files. The files are those of cgroup v2 and v1.
PROBE = """
first() { cat "$1" 2>/dev/null || cat "$2"; }
cd /sys/fs/cgroup
echo "memory $(first memory.current memory/memory.usage_in_bytes)"
first memory.stat memory/memory.stat | sed -n 's/^\\(total_\\)*inactive_file/cache/p' | tail -n 1
first memory.events memory/memory.oom_control | sed -n 's/^oom_kill /killed /p'
du -sk "$1" | sed 's/^/volume /'
[ -z "$2" ] || du -sk "$2" | sed 's/^/mounted /'
shift 2
echo "version $("$@")"
"""
INSPECTED = '{{.State.StartedAt}} {{.HostConfig.Memory}} {{index .Config.Labels "org.opencontainers.image.base.name"}}'


def show(toolbox, json):
    """Print a table of the services, or the same and more as JSON."""
    found = gather(toolbox)
    if json:
        print(as_json(found))
        return
    console.table(rows(found))
    for remark in remarks(found):
        print(f"\n{remark}")


def gather(toolbox):
    """Return a dictionary for each service, in start order.

    Most values are None for a service without a container, some for one that is not running.
    """
    found = toolbox.containers()
    return [describe(toolbox, service, found.get(service)) for service in compose.SERVICES]


def describe(toolbox, service, container):
    """Return the values of one service; `container` is as `docker compose ps` lists it, or None."""
    state = container["State"] if container else "down"
    began = limit = base = None
    if container:
        answer = toolbox.run("docker", "inspect", "--format", INSPECTED, container["ID"]).stdout.split()
        began, limit, base = answer if len(answer) == 3 else (None, None, None)
    inside = probe(toolbox, service) if state == "running" else {}
    volume = inside.get("volume")
    return {
        "service": service,
        "state": state,
        "health": container.get("Health") or None if container else None,
        "since": began if state == "running" else None,
        "address": addresses.page(toolbox.config, service),
        "address_for_programs": addresses.for_programs(toolbox.config, service),
        "program": PROGRAMS[service],
        "version": inside.get("version"),
        "memory_bytes": inside["memory"] - inside.get("cache", 0) if "memory" in inside else None,
        "memory_limit_bytes": int(limit) if limit and state == "running" else None,
        "killed_for_memory": inside.get("killed"),
        "volume_bytes": (volume - inside.get("mounted", 0)) * 1024 if volume is not None else None,
        "base_image": base,
    }


def probe(toolbox, service):
    """Return the results of PROBE in the container of a service, by name: the version as text, and numbers."""
    folder, version = STORES[service]
    mounted = work_folder.TARGET if service == "notebook" and work_folder.folder(toolbox.config) else ""
    command = ("docker", "compose", "exec", "--no-TTY", service, "sh", "-c", PROBE, "sh", folder, mounted, *version)
    return parse(toolbox.run(*command).stdout)


def parse(printed):
    """Return the values in the output of PROBE, by name, without those that it could not print."""
    words = re.findall(r"^(memory|cache|killed|volume|mounted) (\d+)", printed, flags=re.M)
    version = re.search(r"^version (.*)", printed, flags=re.M)
    number = version_number(version[1]) if version else None
    return {name: int(value) for name, value in words} | ({"version": number} if number else {})


def version_number(printed):
    """Return the first version number in the output of a program, or None."""
    number = re.search(r"\d+(\.\d+)+", printed)
    return number[0] if number else None


def rows(services, now=None):
    """Return the rows of the table of what `gather` returned, at most 80 characters wide, as of `now`."""
    titles = ("SERVICE", "STATE", "UP", "ADDRESS", "VERSION", "MEMORY MB", "DISK")
    return [titles, *(row(service, now or datetime.now(timezone.utc)) for service in services)]


def row(service, now):
    """Return the row of one service."""
    # In the unit of the limits in .env.
    used, limit = ((service[name] or 0) >> 20 for name in ("memory_bytes", "memory_limit_bytes"))
    return (
        service["service"],
        service["health"] or service["state"],
        age(service["since"], now) if service["since"] else "-",
        service["address"],
        service["version"] or "-",
        f"{used}/{limit or '-'}" if used else "-",
        human_size(service["volume_bytes"]) if service["volume_bytes"] is not None else "-",
    )


def age(since, now):
    """Return how long ago a time in Docker's format was, in its largest unit: 5s, 12m, 3h or 8d."""
    seconds = max(0, int((now - compose.time(since)).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def remarks(services):
    """Return a line for each service with processes that were killed because it ran out of memory."""
    return [
        f"{service['service']}: {killed(service['killed_for_memory'])} since its start because it ran out of memory: "
        f"raise {service['service'].upper()}_MEMORY in .env."
        for service in services
        if service["killed_for_memory"]
    ]


def killed(number):
    """Return a sentence about a number of processes."""
    return "1 process was killed" if number == 1 else f"{number} processes were killed"


def as_json(services):
    """Return what `gather` returned as JSON, with the addresses for programs."""
    services = [dict(service) for service in services]
    for service in services:
        service["address"] = service.pop("address_for_programs")
    return json.dumps(services, indent=2)
