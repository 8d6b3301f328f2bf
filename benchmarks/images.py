"""How large the images are, what they add to their bases, and how long it takes to build them."""

import re
import secrets
import time
from contextlib import contextmanager

from toolbox.compose import SERVICES

MIB = 1024**2
BUILT_FROM = ("Dockerfile", "requirements.txt")
CACHE = r"type=cache,(?:id=([^,\s]+),)?target=([^,\s]+)"


def measure(sides, table, quick):
    """Add the sizes, and the seconds of builds: from scratch, with one changed requirement, and unchanged."""
    for side in sides.values():
        add_sizes(table, side)
    if not quick:
        for _ in range(2):
            for side in sides.values():
                add_builds(table, side)
    for side in sides.values():
        build(side)
    for _ in range(3):
        for side in sides.values():
            table.add("images", "build, unchanged", "s", side.name, build(side))


def add_sizes(table, side):
    """Add the size of each image, and what it adds to its base."""
    added = {}
    for service in SERVICES:
        whole = size(side, side.image(service))
        added[service] = whole - size(side, side.base(service))
        table.add("images", service, "MiB", side.name, whole / MIB)
        table.add("images", f"{service}, beyond its base", "MiB", side.name, added[service] / MIB)
    # Its image extends that of mlflow.
    migrate = side.image("migrate")
    extra = max(size(side, migrate) - size(side, side.image("mlflow")), 0) if side.name == "ours" else 0
    table.add("images", "whole stack, beyond the bases", "MiB", side.name, (sum(added.values()) + extra) / MIB)


def size(side, image):
    """Return the size of an image in bytes, with its base."""
    return int(side.run("docker", "image", "inspect", "--format", "{{.Size}}", image).stdout)


def add_builds(table, side):
    """Add the seconds of a build from scratch, and of one with a changed requirement."""
    with empty_caches(side):
        table.add("images", "build, from nothing", "s", side.name, build(side, "--no-cache"))
        change_a_requirement(side)
        table.add("images", "build, one changed requirement", "s", side.name, build(side))


def build(side, *options):
    """Build the images of a side; return the seconds."""
    begin = time.monotonic()
    side.compose("build", "--quiet", *options)
    return time.monotonic() - begin


def change_a_requirement(side):
    """Invalidate the layer of the server's packages without changing a package.

    A new version would have to be downloaded on both sides, which would hide the difference.
    """
    change = f"# {secrets.token_hex(4)}\n"
    requirements = side.root / "ml-flow-docker" / "requirements.txt"
    dockerfile = side.root / "mlflow" / "Dockerfile"
    if side.name == "ours":
        requirements.write_text(requirements.read_text() + change)
    else:
        text = re.sub(r"psycopg2-binary.*", f"psycopg2-binary {change.strip()}", dockerfile.read_text())
        dockerfile.write_text(text)


@contextmanager
def empty_caches(side):
    """Build with new, empty cache mounts in the block; afterwards empty them and restore the files of the build."""
    new = secrets.token_hex(4)
    before = {path: path.read_text() for name in BUILT_FROM for path in side.root.glob(f"*/{name}")}
    mounts = set()
    for path, text in before.items():
        mounts |= {f"{new}-{name or target}" for name, target in re.findall(CACHE, text)}
        path.write_text(re.sub(CACHE, lambda it: f"type=cache,id={new}-{it[1] or it[2]},target={it[2]}", text))
    try:
        yield
    finally:
        for path, text in before.items():
            path.write_text(text)
        for mount in mounts:
            program = (
                f"FROM {side.base('mlflow')}\nUSER 0\nRUN --mount=type=cache,id={mount},target=/cache rm -rf /cache/*\n"
            )
            side.run("docker", "build", "--quiet", "--no-cache", "--output=type=cacheonly", "-", stdin=program)
