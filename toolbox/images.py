"""The images of the services, and their bases: the official ones, or stand-ins built from Debian packages."""

import re
from typing import NamedTuple

from invoke import Exit

from . import dotenv, engine, service_logs
from .compose import SERVICES, base_image
from .errors import Failure, last_line

FOLDERS = {"postgres": "postgres-docker", "mlflow": "ml-flow-docker", "notebook": "jupyter-notebook-docker"}


class StandIn(NamedTuple):
    """A base image built here: its name for bare-machine/build-bases, and the image that this makes."""

    name: str
    image: str


# A name under localhost/ is on no public registry, so nothing can be pulled in its place.
STAND_INS = {
    "postgres": StandIn("postgres", "localhost/data-toolbox/postgres:17"),
    "mlflow": StandIn("python", "localhost/data-toolbox/python:3.13"),
    "notebook": StandIn("scipy-notebook", "localhost/data-toolbox/scipy-notebook:2026-11"),
}
# What can still read a database of that version, for its upgrade.
OLD_POSTGRES = StandIn("postgres-15", "localhost/data-toolbox/postgres:15")
# They extend a bare Debian, which is built here too.
BUILT_HERE = [
    *(stand_in.image for stand_in in (*STAND_INS.values(), OLD_POSTGRES)),
    *(f"localhost/data-toolbox/debian:{suite}" for suite in ("trixie", "bookworm")),
]

# What Docker says when a registry's name cannot be looked up, or nothing answers there. That it answered, whatever it
# said, is another matter.
NO_REGISTRY = (
    "no such host",
    "connection refused",
    "i/o timeout",
    "network is unreachable",
    "no route to host",
    "client.timeout exceeded",
    "context deadline exceeded",
    "temporary failure in name resolution",
    "server misbehaving",
    "tls handshake timeout",
    "connection reset by peer",
)
MISSING = ("not found", "manifest unknown", "name unknown", "does not exist")
REFUSED = ("denied", "unauthorized", "forbidden", "authentication required", "toomanyrequests")


# --- Build ---


def build(toolbox):
    """Build the images of the services, after pulling their bases, or building stand-ins if no registry answers.

    Raises Failure when that cannot be done.
    """
    engine.check_own_folder()
    official = official_bases(toolbox.root)
    missing = absent(toolbox.config, official, has=lambda name: toolbox.has("image", name), pull=puller(toolbox))
    if unreachable := [official[service] for service in missing if not is_stand_in(toolbox.config, service)]:
        names = ", ".join(unreachable)
        print(f"No registry answers for {names}: building from Debian packages instead (see bare-machine/README.md).")
    if missing:
        use_stand_ins(toolbox, missing)
    if not toolbox.compose("build"):
        raise Failure("an image could not be built: Docker's own message is above.")


def official_bases(root):
    """Return the official base image of each service, from its Dockerfile in a clone."""
    return {service: default((root / folder / "Dockerfile").read_text()) for service, folder in FOLDERS.items()}


def puller(toolbox):
    """Return a function that pulls an image and returns whether that succeeded, and what Docker said."""

    def pull(image):
        result = toolbox.show("docker", "pull", image)
        return result.ok, service_logs.plain(result.stdout + result.stderr)

    return pull


def use_stand_ins(toolbox, services, rebuild=False):
    """Build the stand-ins for the bases of `services`, those not there or all, and use them, which .env says then."""
    stand_ins = {service: STAND_INS[service] for service in services}
    names = [made.name for made in stand_ins.values() if rebuild or not toolbox.has("image", made.image)]
    if names and not toolbox.show("bare-machine/build-bases", *names):
        raise Exit(code=1)
    text = dotenv.read(toolbox.env)
    for service, made in stand_ins.items():
        text = dotenv.with_value(text, variable(service), made.image)
    toolbox.write(text)


def use_official(toolbox):
    """Use the official base images from now on, which .env says then."""
    text = dotenv.read(toolbox.env)
    for service, image in official_bases(toolbox.root).items():
        text = dotenv.without_value(text, variable(service), image)
    toolbox.write(text)


def choose_bases(toolbox, official, remove):
    """Build and use the stand-ins; or go back to the `official` base images, or delete the stand-ins, or both.

    Raises Failure when the settings are not valid, and SystemExit when a stand-in could not be built.
    """
    _ = toolbox.config
    if not official and not remove:
        use_stand_ins(toolbox, SERVICES, rebuild=True)
    if official:
        use_official(toolbox)
    if remove:
        remove_stand_ins(toolbox)


def remove_stand_ins(toolbox):
    """Delete the images that were built here as bases."""
    for image in BUILT_HERE:
        if toolbox.has("image", image):
            toolbox.show("docker", "image", "rm", image)


def bases(toolbox):
    """Return the base image of each service that has a container: what it was built on, whatever .env says now."""
    label = '{{index .Config.Labels "org.opencontainers.image.base.name"}}'
    return {
        service: toolbox.run("docker", "inspect", "--format", label, container["ID"]).stdout.strip()
        for service, container in toolbox.containers().items()
    }


# --- Which bases ---


def variable(service):
    """Return the name of the setting for a service's base image."""
    return f"{service.upper()}_BASE_IMAGE"


def default(dockerfile):
    """Return the base image that the text of a Dockerfile names as its default."""
    return re.search(r"^ARG BASE_IMAGE=(\S+)$", dockerfile, flags=re.M)[1]


def is_stand_in(config, service):
    """Return whether the stand-in is what the image of a service extends."""
    return base_image(config, service) == STAND_INS[service].image


def absent(config, official, has, pull):
    """Return the services whose base has to be built here; what can be pulled is pulled.

    `official` maps each service to the default of its base image. `has` says whether Docker has an image; `pull` pulls
    one and returns whether it could, and what Docker said.
    Raises Failure when an image is missing or forbidden, or was chosen in .env and cannot be had.
    """
    services = []
    for service in SERVICES:
        image = base_image(config, service)
        if has(image):
            continue
        if is_stand_in(config, service):
            services.append(service)
            continue
        pulled, answer = pull(image)
        if pulled:
            continue
        if image != official[service] or not is_unreachable(answer):
            raise Failure(explained(service, image, answer))
        services.append(service)
    return services


def is_unreachable(answer):
    """Return whether `docker pull` failed because no registry answers; `answer` is what it printed."""
    text = answer.lower()
    return any(words in text for words in NO_REGISTRY) and not any(words in text for words in MISSING + REFUSED)


def explained(service, image, answer):
    """Return why a service's base image cannot be had, as cause and remedy; `answer` is what `docker pull` printed."""
    text = answer.lower()
    name = f"the base image {image} of {service}"
    if any(words in text for words in REFUSED):
        return f"the registry refuses {name}: docker login, or set {variable(service)} in .env ({last_line(answer)})."
    if any(words in text for words in MISSING):
        return f"{name} does not exist: correct {variable(service)} in .env."
    if is_unreachable(answer):
        return f"{name} cannot be pulled, no registry answers: check {variable(service)} in .env, and the network."
    return f"{name} cannot be pulled ({last_line(answer)}): check {variable(service)} in .env."
