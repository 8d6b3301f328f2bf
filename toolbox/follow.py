"""What Docker prints while it works, line by line, as the steps that a person wants to follow."""

import re

from .model import ONE_SHOTS

# A service's step of a build: its name, perhaps that of a stage, which of how many, and the instruction.
BUILD_STEP = re.compile(r"^#\d+ \[([\w-]+) (?:[\w-]+ )?(\d+/\d+)\] (.+)")
READING = re.compile(r"^#\d+ \[([\w-]+) internal\]")
EXPORT = re.compile(r"^#\d+ \[([\w-]+)\] exporting to image")
BASE = re.compile(r"^building the base image (\S+) from ")
BASE_STEP = re.compile(r"^#\d+ \[(\d+/\d+)\] (.+)")
LAYER = re.compile(r"^([0-9a-f]{12}): (.+)")
LONGEST_INSTRUCTION = 60
# What is done with a container, in Compose's words, and what it is at then. Compose says more than one of the same.
AT = {
    "Creating": "being made",
    "Recreate": "being replaced",
    "Created": "made",
    "Recreated": "replaced",
    "Starting": "starting",
    "Started": "waiting until it is healthy",
    "Waiting": "waiting until it is healthy",
}
FAILED = {"Error": "failed", "Unhealthy": "not healthy"}


def build(steps):
    """Return a function that takes the lines of `docker compose build` and tells `steps` of them."""

    def receive(line):
        if step := BUILD_STEP.match(line):
            service, number, instruction = step.groups()
            steps.at(f"image {service}", in_short(number, instruction))
        elif begun := READING.match(line):
            steps.at(f"image {begun[1]}", "reading its Dockerfile")
        elif done := EXPORT.match(line):
            steps.ended(f"image {done[1]}", "ready")

    return receive


def in_short(number, instruction):
    """Return a step of a build in a few words; `number` is such as 2/5."""
    words = " ".join(instruction.split())
    short = words if len(words) <= LONGEST_INSTRUCTION else f"{words[:LONGEST_INSTRUCTION]}..."
    return f"{number.replace('/', ' of ')}: {short}"


def bases(steps):
    """Return a function that takes the lines of bare-machine/build-bases and tells `steps` of them."""
    present = []

    def receive(line):
        if base := BASE.match(line):
            steps.all_ended("ready")
            present[:] = [f"base {base[1]}"]
            steps.at(present[0], "from Debian packages")
        elif present and (step := BASE_STEP.match(line)):
            steps.at(present[0], in_short(*step.groups()))

    return receive


def start(steps, project):
    """Return a function that takes the lines of `docker compose up` for a project and tells `steps` of them."""
    container = re.compile(rf"\s*Container {re.escape(project)}-([a-z]+)-\d+\s+(\w+)")

    def receive(line):
        if not (found := container.match(line)):
            return
        service, word = found.groups()
        if word == "Healthy":
            steps.ended(service, "healthy")
        elif word == "Exited" and service in ONE_SHOTS:
            steps.ended(service, "done")
        elif word in FAILED:
            steps.ended(service, FAILED[word], well=False)
        elif word in AT:
            steps.at(service, ONE_SHOTS.get(service, AT[word]))

    return receive


def pull(steps, image):
    """Return a function that takes the lines of `docker pull` of an image and tells `steps` of them."""
    layers = {}

    def receive(line):
        if layer := LAYER.match(line):
            layers[layer[1]] = layer[2]
            complete = sum(state in ("Pull complete", "Already exists") for state in layers.values())
            steps.at(f"base {image}", f"{complete} of {len(layers)} layers")

    return receive
