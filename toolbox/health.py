"""The state of the containers, as `docker compose ps` lists them."""

from .compose import IN_ORDER, ONE_SHOTS


def state(container):
    """Return the state of a container in one or two words; of a container that is not there (None), `down`."""
    if container is None:
        return "down"
    return " ".join(filter(None, (container["State"], container.get("Health"))))


def is_running(container):
    """Return whether a container runs, healthy or not."""
    return state(container).startswith("running")


def is_healthy(container):
    """Return whether a container runs and is healthy."""
    return state(container) == "running healthy"


def has_failed(container):
    """Return whether a container that ends by itself has ended with an error."""
    return container is not None and container["State"] == "exited" and container["ExitCode"] != 0


def first_unhealthy(containers):
    """Return the name of the service that keeps the toolbox from being healthy, or None; `containers` are by service.

    Where several are not healthy it is the one that starts first: the others wait for it.
    """
    for service in IN_ORDER:
        container = containers.get(service)
        if has_failed(container) if service in ONE_SHOTS else not is_healthy(container):
            return service
    return None
