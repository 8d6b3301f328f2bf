"""The addresses of the services, for people and for programs."""

from urllib.parse import quote

from .compose import address, environment


def listed(config, token, password):
    """Return lines that say where the three services are, each as whole as a browser or a client of SQL needs it.

    They fit 80 columns with the usual ports and generated secrets: the `token` of JupyterLab, and the `password` of the
    role analyst.
    """
    return [
        f"notebook  {lab(config, token)}",
        f"mlflow    {page(config, 'mlflow')}  no login",
        f"postgres  postgresql://analyst:{quote(password, safe='')}@{page(config, 'postgres')}/mlflow",
    ]


def lab(config, token):
    """Return the address at which a browser opens JupyterLab, logged in by its token."""
    return f"{page(config, 'notebook')}/lab?token={quote(token, safe='')}"


def page(config, service):
    """Return the address of a service for people and their browsers, with no secret in it."""
    host = environment(config, "notebook")["NOTEBOOK_ADDRESS"].rpartition(":")[0]
    return place(config, service) if service == "postgres" else written(service, host, address(config, service)[1])


def place(config, service):
    """Return the address of a service for programs, many of which know no other names of this machine than its own."""
    return written(service, *address(config, service))


def written(service, host, port):
    """Return an address as it is written for that service."""
    # Some browsers open no page at the address that stands for all of the machine's own.
    host = "127.0.0.1" if host == "0.0.0.0" else host
    return f"{host}:{port}" if service == "postgres" else f"http://{host}:{port}"
