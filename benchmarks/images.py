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
    """Add the sizes, and the seconds of builds: from nothing, with one changed requirement, and unchanged."""
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
    beyond = {}
    for service in SERVICES:
        whole = size(side, side.image(service))
        beyond[service] = whole - size(side, side.base(service))
        table.add("images", service, "MiB", side.name, whole / MIB)
        table.add("images", f"{service}, beyond its base", "MiB", side.name, beyond[service] / MIB)
    # It extends the image of mlflow, so it is shared but for what it adds to that.
    one_shot = side.image("migrate")
    extra = max(size(side, one_shot) - size(side, side.image("mlflow")), 0) if side.name == "ours" else 0
    table.add("images", "whole stack, beyond the bases", "MiB", side.name, (sum(beyond.values()) + extra) / MIB)


def size(side, image):
    """Return how many bytes an image has, with what it extends."""
    return int(side.run("docker", "image", "inspect", "--format", "{{.Size}}", image).stdout)


def add_builds(table, side):
    """Add the seconds of a build from nothing but the bases, and of one in which a single requirement is another."""
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
    """Change what the server's packages are asked with, so that Docker cannot reuse that layer, but not the packages.

    A new version would be fetched from the network, on either side, and that is not what differs.
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
    """Have the cache mounts of a side's Dockerfiles be new ones for the block, and empty afterwards.

    What the block does to the files of a build is undone.
    """
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
