"""What `invoke status` shows: how each service is, and how much it takes."""

import json
import re
from datetime import datetime, timezone

from rich.filesize import decimal as human_size

from . import addresses, compose, console, work_folder

# What each service keeps, and the command that prints the version of what runs in it.
STORES = {
    "postgres": ("/var/lib/postgresql/data", ["psql", "--version"]),
    "mlflow": ("/mlflow/artifacts", ["head", "-n", "1", "/opt/mlflow/revisions"]),
    "notebook": (
        "/home/jovyan",
        ["python", "-c", 'from importlib.metadata import version; print(version("jupyterlab"))'],
    ),
}
PROGRAMS = {"postgres": "Postgres", "mlflow": "MLflow", "notebook": "JupyterLab"}
# Run in a container, with folders and then the command for the version: one call of Docker answers all. Of the memory
# the cache of files that are not in use does not count, as in `docker stats`. The files are those of cgroup 2 and 1.
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
    """Return a dictionary for each service, in the order of their start.

    Of a service without a container, most values are None; of one that does not run, some are.
    """
    found = toolbox.containers()
    return [described(toolbox, service, found.get(service)) for service in compose.SERVICES]


def described(toolbox, service, container):
    """Return what there is to say of one service; `container` is as `docker compose ps` lists it, or None."""
    state = container["State"] if container else "down"
    began = limit = base = None
    if container:
        answer = toolbox.run("docker", "inspect", "--format", INSPECTED, container["ID"]).stdout.split()
        began, limit, base = answer if len(answer) == 3 else (None, None, None)
    inside = probed(toolbox, service) if state == "running" else {}
    volume = inside.get("volume")
    return {
        "service": service,
        "state": state,
        "health": container.get("Health") or None if container else None,
        "since": began if state == "running" else None,
        "address": addresses.page(toolbox.config, service),
        "place": addresses.place(toolbox.config, service),
        "program": PROGRAMS[service],
        "version": inside.get("version"),
        "memory_bytes": inside["memory"] - inside.get("cache", 0) if "memory" in inside else None,
        "memory_limit_bytes": int(limit) if limit and state == "running" else None,
        "killed_for_memory": inside.get("killed"),
        "volume_bytes": (volume - inside.get("mounted", 0)) * 1024 if volume is not None else None,
        "base_image": base,
    }


def probed(toolbox, service):
    """Return what PROBE finds in the container of a service, by name: the version as text, and numbers."""
    folder, version = STORES[service]
    mounted = work_folder.TARGET if service == "notebook" and work_folder.folder(toolbox.config) else ""
    command = ("docker", "compose", "exec", "--no-TTY", service, "sh", "-c", PROBE, "sh", folder, mounted, *version)
    return understood(toolbox.run(*command).stdout)


def understood(printed):
    """Return the answers in what PROBE printed, by name; those that are not there are missing."""
    words = re.findall(r"^(memory|cache|killed|volume|mounted) (\d+)", printed, flags=re.M)
    version = re.search(r"^version (.*)", printed, flags=re.M)
    number = dotted(version[1]) if version else None
    return {name: int(value) for name, value in words} | ({"version": number} if number else {})


def dotted(printed):
    """Return the first version number in what a program printed, or None."""
    number = re.search(r"\d+(\.\d+)+", printed)
    return number[0] if number else None


def rows(services, now=None):
    """Return the rows of the table of what `gather` returned, at most 80 characters wide, as of `now`."""
    titles = ("SERVICE", "STATE", "UP", "ADDRESS", "VERSION", "MEMORY MB", "DISK")
    return [titles, *(row(it, now or datetime.now(timezone.utc)) for it in services)]


def row(it, now):
    """Return the row of one service."""
    # In the unit of the limits in .env.
    took, limit = ((it[name] or 0) >> 20 for name in ("memory_bytes", "memory_limit_bytes"))
    return (
        it["service"],
        it["health"] or it["state"],
        age(it["since"], now) if it["since"] else "-",
        it["address"],
        it["version"] or "-",
        f"{took}/{limit or '-'}" if took else "-",
        human_size(it["volume_bytes"]) if it["volume_bytes"] is not None else "-",
    )


def age(since, now):
    """Return how long ago a time was, given as Docker does it, in its largest unit: 5s, 12m, 3h or 8d."""
    seconds = max(0, int((now - compose.time(since)).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def remarks(services):
    """Return lines on what the table does not show: programs that were ended because the memory was used up."""
    return [
        f"{it['service']}: {ended(it['killed_for_memory'])} ended since its start because its memory was used up: "
        f"raise {it['service'].upper()}_MEMORY in .env."
        for it in services
        if it["killed_for_memory"]
    ]


def ended(number):
    """Return a number of processes that were ended, as words."""
    return "1 process was" if number == 1 else f"{number} processes were"


def as_json(services):
    """Return what `gather` returned as JSON, with the addresses for programs."""
    services = [it | {"address": it["place"]} for it in services]
    return json.dumps([{name: it[name] for name in it if name != "place"} for it in services], indent=2)
