"""The state of the containers, as `docker compose ps` lists them."""

from .compose import IN_ORDER, ONE_SHOTS


def state(container):
    """Return the state of a container in one or two words; `down` if there is none (None)."""
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
    """Return whether a container has exited with an error."""
    return container is not None and container["State"] == "exited" and container["ExitCode"] != 0


def first_unhealthy(containers):
    """Return the first service in start order that is not healthy, or None; `containers` are by service.

    The services after it wait for it.
    """
    for service in IN_ORDER:
        container = containers.get(service)
        if has_failed(container) if service in ONE_SHOTS else not is_healthy(container):
            return service
    return None
