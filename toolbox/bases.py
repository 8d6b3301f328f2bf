"""The base images: the official ones, or stand-ins built from Debian packages where no container registry answers."""

import re
from typing import NamedTuple

from .failure import Failure, last_line
from .model import SERVICES, base_image


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


def variable(service):
    """Return the name of the setting for a service's base image."""
    return f"{service.upper()}_BASE_IMAGE"


def default(dockerfile):
    """Return the base image that the text of a Dockerfile names as its default."""
    return re.search(r"^ARG BASE_IMAGE=(\S+)$", dockerfile, flags=re.M)[1]


def is_stand_in(model, service):
    """Return whether the stand-in is what the image of a service extends."""
    return base_image(model, service) == STAND_INS[service].image


def absent(model, official, has, pull):
    """Return the services whose base has to be built here; what can be pulled is pulled.

    `official` maps each service to the default of its base image. `has` says whether Docker has an image; `pull` pulls
    one and returns whether it could, and what Docker said.
    Raises Failure when an image is missing or forbidden, or was chosen in .env and cannot be had.
    """
    services = []
    for service in SERVICES:
        image = base_image(model, service)
        if has(image):
            continue
        if is_stand_in(model, service):
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
