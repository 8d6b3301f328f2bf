"""What the tasks tell about a running toolbox."""

import re
from urllib.parse import quote

from .model import ONE_SHOT, SERVICES, address, secret


def addresses(model):
    """Return the lines that say where the three services are, the notebook's with its token."""
    host, port = address(model, "notebook")
    lines = [("notebook", f"http://{host}:{port}/lab?token={quote(secret(model, 'JUPYTER_TOKEN'), safe='')}")]
    host, port = address(model, "mlflow")
    lines.append(("mlflow", f"http://{host}:{port}"))
    host, port = address(model, "postgres")
    lines.append(("postgres", f"{host}:{port}, role analyst, databases mlflow and datasets, password in .env"))
    return table(lines)


def status(model, containers, bases):
    """Return the lines of a table of the services.

    `containers` maps a service to its container as `docker compose ps` lists it, `bases` to the name of its base image.
    """
    rows = [("SERVICE", "STATE", "ADDRESS", "BASE IMAGE")]
    for service in SERVICES:
        host, port = address(model, service)
        rows.append((service, state(containers.get(service)), f"{host}:{port}", bases.get(service, "-")))
    return table(rows)


def state(container):
    """Return the state of a container in one or two words; of a container that is not there (None), `down`."""
    if container is None:
        return "down"
    return " ".join(filter(None, (container["State"], container.get("Health"))))


def table(rows):
    """Return the rows as lines whose columns are lined up."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def first_unhealthy(containers):
    """Return the name of the service that keeps the toolbox from being healthy, or None.

    Where several are not healthy it is the one that starts first: the others wait for it.
    """
    for service in SERVICES:
        if service == "mlflow" and has_failed(containers.get(ONE_SHOT)):
            return ONE_SHOT
        if state(containers.get(service)) != "running healthy":
            return service
    return None


def has_failed(container):
    """Return whether a container that ends by itself, as `docker compose ps` lists it, has ended with an error."""
    return container is not None and container["State"] == "exited" and container["ExitCode"] != 0


def refusals(log):
    """Return why a service refused to start, from the lines of its log: causes with their remedies."""
    # Some versions of Compose clear the line of a terminal first, also where none is.
    return re.findall(r"^(?:\x1b\[2K)?FAIL: (.*?)\r?$", log, flags=re.M)
