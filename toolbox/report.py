"""What the tasks tell about a running toolbox."""

import re
from urllib.parse import quote

from .failure import Failure, one_line
from .model import IN_ORDER, ONE_SHOTS, address, environment


def addresses(model, token, password):
    """Return lines that say where the three services are, each as whole as a browser or a client of SQL needs it.

    They fit 80 columns with the usual ports and generated secrets: the `token` of JupyterLab, and the `password` of the
    role analyst.
    """
    return [
        f"notebook  {lab(model, token)}",
        f"mlflow    {page(model, 'mlflow')}  no login",
        f"postgres  postgresql://analyst:{quote(password, safe='')}@{page(model, 'postgres')}/mlflow",
    ]


def lab(model, token):
    """Return the address at which a browser opens JupyterLab, logged in by its token."""
    return f"{page(model, 'notebook')}/lab?token={quote(token, safe='')}"


def page(model, service):
    """Return the address of a service for people and their browsers, with no secret in it."""
    host = environment(model, "notebook")["NOTEBOOK_ADDRESS"].rpartition(":")[0]
    return place(model, service) if service == "postgres" else written(service, host, address(model, service)[1])


def place(model, service):
    """Return the address of a service for programs, many of which know no other names of this machine than its own."""
    return written(service, *address(model, service))


def written(service, host, port):
    """Return an address as it is written for that service."""
    # Some browsers open no page at the address that stands for all of the machine's own.
    host = "127.0.0.1" if host == "0.0.0.0" else host
    return f"{host}:{port}" if service == "postgres" else f"http://{host}:{port}"


def check_lines(tail, since):
    """Raise Failure when what was given to --tail or --since of `logs` is not a number of lines, or not a time."""
    if not (re.fullmatch("[0-9]+", tail) or tail == "all"):
        raise Failure(f'--tail {one_line(tail)} is not a number of lines: give one, or "all".')
    if since and not re.fullmatch(r"([0-9]+[smh])+|\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d)?)?", since):
        raise Failure(f"--since {one_line(since)} is not a time: give one such as 10m, 2h or 2026-11-28T09:30.")


def state(container):
    """Return the state of a container in one or two words; of a container that is not there (None), `down`."""
    if container is None:
        return "down"
    return " ".join(filter(None, (container["State"], container.get("Health"))))


def first_unhealthy(containers):
    """Return the name of the service that keeps the toolbox from being healthy, or None.

    Where several are not healthy it is the one that starts first: the others wait for it.
    """
    for service in IN_ORDER:
        if service in ONE_SHOTS:
            if has_failed(containers.get(service)):
                return service
        elif state(containers.get(service)) != "running healthy":
            return service
    return None


def has_failed(container):
    """Return whether a container that ends by itself, as `docker compose ps` lists it, has ended with an error."""
    return container is not None and container["State"] == "exited" and container["ExitCode"] != 0


def refusals(log):
    """Return why a service refused to start, from the lines of its log: causes with their remedies."""
    return re.findall(r"^FAIL: (.*)$", plain(log), flags=re.M)


def plain(printed):
    """Return what a command printed without control sequences of a terminal, which Compose also writes elsewhere."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", printed)
