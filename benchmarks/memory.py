"""What the stacks need when idle, and after a load: memory, processes, CPU time."""

import time

from toolbox.compose import SERVICES

MIB = 1024**2
SECONDS_AN_HOUR = 3600


def measure(sides, table, quick):
    """Add memory and processes of the idle stacks, and the CPU seconds that they use in an hour.

    Both are measured at once: idle ones hardly affect each other.
    """
    windows, seconds = (1, 10) if quick else (3, 60)
    # A start continues for a while after the first response.
    time.sleep(15 if quick else 60)
    for _ in range(windows):
        before = used(sides)
        time.sleep(seconds)
        after = used(sides)
        for side in sides.values():
            # The second figure of each pair shows what the measurement itself costs.
            hourly = {
                service: (later[1] - earlier[1] - (earlier[1] - earlier[0])) * SECONDS_AN_HOUR / (later[2] - earlier[2])
                for service in SERVICES
                for earlier, later in [(before[side.name, service], after[side.name, service])]
            }
            hourly["whole stack"] = sum(hourly.values())
            for service, value in hourly.items():
                table.add("memory", f"{service}, processors' time of an idle hour", "s", side.name, max(value, 0))
            add(table, side, "idle")


def used(sides):
    """Return for each side and service its CPU seconds, measured twice in a row, and the time."""
    return {
        (side.name, service): (side.cpu_seconds(service), side.cpu_seconds(service), time.monotonic())
        for side in sides.values()
        for service in SERVICES
    }


def add(table, side, when):
    """Add memory and processes of the tracking server and of the whole stack; `when` is the end of the row's name."""
    memory = {service: side.memory(service) / MIB for service in SERVICES}
    processes = {service: side.processes(service) for service in SERVICES}
    for values, unit in ((memory, "MiB"), (processes, "processes")):
        kind = "" if unit == "MiB" else "processes, "
        table.add("memory", f"mlflow, {kind}{when}", unit, side.name, values["mlflow"])
        table.add("memory", f"whole stack, {kind}{when}", unit, side.name, sum(values.values()))
