"""The memory of this container, from its cgroup."""

from pathlib import Path

# The files of cgroup v2, and of v1.
LIMIT = ("memory.max", "memory/memory.limit_in_bytes")
EVENTS = ("memory.events", "memory/memory.oom_control")


def limit(cgroup=Path("/sys/fs/cgroup")):
    """Return the container's memory limit in bytes; 0 if there is none."""
    text = read(LIMIT, cgroup).strip()
    return int(text) if text.isdigit() else 0


def killed(cgroup=Path("/sys/fs/cgroup")):
    """Return how many processes the OOM killer has killed since the container started."""
    return int(dict(line.split() for line in read(EVENTS, cgroup).splitlines()).get("oom_kill", 0))


def read(names, cgroup):
    """Return the text of the first of these files that exists, "" if none does."""
    return next((path.read_text() for path in map(cgroup.joinpath, names) if path.exists()), "")
