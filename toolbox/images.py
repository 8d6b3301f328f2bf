"""The images of the services, and their bases: the official ones, or substitutes built from Debian packages."""

import re
from typing import NamedTuple

from invoke import Exit

from . import dotenv, engine, service_logs
from .compose import SERVICES, base_image
from .errors import Failure, last_line

FOLDERS = {"postgres": "postgres-docker", "mlflow": "ml-flow-docker", "notebook": "jupyter-notebook-docker"}


class Substitute(NamedTuple):
    """A base image built here: its name for bare-machine/build-bases, and the name of the image."""

    name: str
    image: str


# No public registry has names under localhost/, so these are never pulled.
SUBSTITUTES = {
    "postgres": Substitute("postgres", "localhost/data-toolbox/postgres:17"),
    "mlflow": Substitute("python", "localhost/data-toolbox/python:3.13"),
    "notebook": Substitute("scipy-notebook", "localhost/data-toolbox/scipy-notebook:2026-11"),
}
# Can still read a database of that version, for its upgrade.
OLD_POSTGRES = Substitute("postgres-15", "localhost/data-toolbox/postgres:15")
# With the minimal Debian images that they extend.
BUILT_HERE = [
    *(substitute.image for substitute in (*SUBSTITUTES.values(), OLD_POSTGRES)),
    *(f"localhost/data-toolbox/debian:{suite}" for suite in ("trixie", "bookworm")),
]

# Docker's messages when the name of a registry cannot be resolved, or nothing answers there.
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
    """Build the images of the services, after pulling their bases, or building substitutes if no registry answers.

    Raises Failure when that fails.
    """
    engine.check_config_folder()
    official = official_bases(toolbox.root)
    missing = absent(toolbox.config, official, has=lambda name: toolbox.has("image", name), pull=puller(toolbox))
    if unreachable := [official[service] for service in missing if not is_substitute(toolbox.config, service)]:
        names = ", ".join(unreachable)
        print(f"No registry answers for {names}: building from Debian packages instead (see bare-machine/README.md).")
    if missing:
        use_substitutes(toolbox, missing)
    if not toolbox.compose("build"):
        raise Failure("an image could not be built: Docker's own message is above.")


def official_bases(root):
    """Return the official base image of each service, from its Dockerfile in a clone."""
    return {service: default((root / folder / "Dockerfile").read_text()) for service, folder in FOLDERS.items()}


def puller(toolbox):
    """Return a function that pulls an image and returns whether that succeeded, and Docker's output."""

    def pull(image):
        result = toolbox.show("docker", "pull", image)
        return result.ok, service_logs.plain(result.stdout + result.stderr)

    return pull


def use_substitutes(toolbox, services, rebuild=False):
    """Set the substitutes for the bases of `services` in .env, after building those that are missing, or all."""
    substitutes = {service: SUBSTITUTES[service] for service in services}
    names = [made.name for made in substitutes.values() if rebuild or not toolbox.has("image", made.image)]
    if names and not toolbox.show("bare-machine/build-bases", *names):
        raise Exit(code=1)
    text = dotenv.read(toolbox.env)
    for service, made in substitutes.items():
        text = dotenv.with_value(text, variable(service), made.image)
    toolbox.write(text)


def use_official(toolbox):
    """Set the official base images in .env."""
    text = dotenv.read(toolbox.env)
    for service, image in official_bases(toolbox.root).items():
        text = dotenv.without_value(text, variable(service), image)
    toolbox.write(text)


def choose_bases(toolbox, official, remove):
    """Build and use the substitutes; or go back to the `official` base images, or `remove` the substitutes, or both.

    Raises Failure when the settings are not valid, and SystemExit when a substitute could not be built.
    """
    _ = toolbox.config
    if not official and not remove:
        use_substitutes(toolbox, SERVICES, rebuild=True)
    if official:
        use_official(toolbox)
    if remove:
        remove_substitutes(toolbox)


def remove_substitutes(toolbox):
    """Delete the base images that were built here."""
    for image in BUILT_HERE:
        if toolbox.has("image", image):
            toolbox.show("docker", "image", "rm", image)


def bases(toolbox):
    """Return, by service, the base image that its container was built on, whatever .env says now."""
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


def is_substitute(config, service):
    """Return whether the image of a service extends the substitute."""
    return base_image(config, service) == SUBSTITUTES[service].image


def absent(config, official, has, pull):
    """Return the services whose base has to be built here; what can be pulled is pulled.

    `official` maps each service to the default of its base image. `has` returns whether Docker has an image; `pull`
    pulls one and returns whether that succeeded, and Docker's output.
    Raises Failure when an image does not exist or access is denied, or one that is set in .env is not available.
    """
    services = []
    for service in SERVICES:
        image = base_image(config, service)
        if has(image):
            continue
        if is_substitute(config, service):
            services.append(service)
            continue
        pulled, answer = pull(image)
        if pulled:
            continue
        if image != official[service] or not is_unreachable(answer):
            raise Failure(explain(service, image, answer))
        services.append(service)
    return services


def is_unreachable(answer):
    """Return whether `docker pull` failed because no registry answers; `answer` is its output."""
    text = answer.lower()
    return any(words in text for words in NO_REGISTRY) and not any(words in text for words in MISSING + REFUSED)


def explain(service, image, answer):
    """Return cause and remedy for a base image that is not available; `answer` is the output of `docker pull`."""
    text = answer.lower()
    name = f"the base image {image} of {service}"
    if any(words in text for words in REFUSED):
        return f"the registry refuses {name}: docker login, or set {variable(service)} in .env ({last_line(answer)})."
    if any(words in text for words in MISSING):
        return f"{name} does not exist: correct {variable(service)} in .env."
    if is_unreachable(answer):
        return f"{name} cannot be pulled, no registry answers: check {variable(service)} in .env, and the network."
    return f"{name} cannot be pulled ({last_line(answer)}): check {variable(service)} in .env."
