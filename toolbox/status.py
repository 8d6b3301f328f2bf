"""What `invoke status` shows: how each service is, and how much it takes."""

import json
import re
from datetime import datetime

from . import model, report, stack, work
from .commands import quietly
from .progress import in_words

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
UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def gather(c, config):
    """Return a dictionary for each service, in the order of their start.

    Of a service without a container, most values are None; of one that does not run, some are.
    """
    found, bases = stack.containers(c), stack.base_names(c)
    memory = used(c, [entry["ID"] for entry in found.values() if entry["State"] == "running"])
    return [described(c, config, service, found.get(service), bases.get(service), memory) for service in model.SERVICES]


def described(c, config, service, container, base, memory):
    """Return what there is to say of one service; `memory` is what `used` returned."""
    state = container["State"] if container else "down"
    folder, version = STORES[service]
    size = number = None
    if state == "running":
        size = kilobytes(inside(c, service, ["du", "-sk", folder]))
        if service == "notebook" and work.folder(config):
            size -= kilobytes(inside(c, service, ["du", "-sk", work.TARGET]))
        number = dotted(inside(c, service, version))
    took, limit = memory.get(container["ID"], (None, None)) if container else (None, None)
    return {
        "service": service,
        "state": state,
        "health": container.get("Health") or None if container else None,
        "since": since(c, container["ID"]) if state == "running" else None,
        "address": report.bare_page(config, service),
        "program": PROGRAMS[service],
        "version": number,
        "memory_bytes": took,
        "memory_limit_bytes": limit,
        "volume_bytes": size,
        "base_image": base,
    }


def inside(c, service, command):
    """Return what a command prints in the container of a service."""
    return quietly(c, ["docker", "compose", "exec", "--no-TTY", service, *command], env=stack.NO_SECRETS).stdout


def kilobytes(printed):
    """Return the bytes that `du -sk` printed, or None where it printed no number."""
    number = re.match(r"\d+", printed)
    return int(number[0]) * 1024 if number else None


def dotted(printed):
    """Return the first version number in what a program printed, or None."""
    number = re.search(r"\d+(\.\d+)+", printed)
    return number[0] if number else None


def since(c, container):
    """Return when a container was started, as ISO 8601 in UTC."""
    return quietly(c, ["docker", "inspect", "--format", "{{.State.StartedAt}}", container]).stdout.strip() or None


def used(c, ids):
    """Return the memory that containers take and may take, in bytes, by the beginnings of their ids that were given."""
    if not ids:
        return {}
    printed = quietly(c, ["docker", "stats", "--no-stream", "--format", "json", *ids]).stdout
    sizes = {}
    for entry in map(json.loads, printed.splitlines()):
        sizes |= {given: in_bytes(entry["MemUsage"]) for given in ids if entry["ID"].startswith(given)}
    return sizes


def in_bytes(usage):
    """Return the two numbers of bytes in what Docker says of memory, such as `251.1MiB / 2GiB`."""
    return tuple(int(float(number) * UNITS[unit]) for number, unit in re.findall(r"([\d.]+)([KMGT]?i?B)", usage))


def rows(services):
    """Return the rows of the table of what `gather` returned."""
    titles = ("SERVICE", "STATE", "HEALTH", "SINCE", "ADDRESS", "VERSION", "MEMORY", "VOLUME")
    return [titles, *map(row, services)]


def row(it):
    """Return the row of one service."""
    began = datetime.fromisoformat(re.sub(r"\.\d+", "", it["since"]).replace("Z", "+00:00")) if it["since"] else None
    # In the unit of the limits in .env.
    took, limit = ((it[name] or 0) >> 20 for name in ("memory_bytes", "memory_limit_bytes"))
    return (
        it["service"],
        it["state"],
        it["health"] or "-",
        f"{began.astimezone():%Y-%m-%d %H:%M}" if began else "-",
        it["address"],
        f"{it['program']} {it['version']}" if it["version"] else "-",
        f"{took:,} of {limit:,} MiB" if took else "-",
        in_words(it["volume_bytes"]) if it["volume_bytes"] is not None else "-",
    )


def as_json(services):
    """Return what `gather` returned as JSON."""
    return json.dumps(services, indent=2)
