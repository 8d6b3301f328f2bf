"""The addresses of the services, for people and for programs."""

from urllib.parse import quote

from .compose import address, environment


def summary(config, token, password):
    """Return a line for each service with its address, complete with JupyterLab's `token` and analyst's `password`.

    With default ports and generated secrets they fit into 80 columns.
    """
    return [
        f"notebook  {lab(config, token)}",
        f"mlflow    {page(config, 'mlflow')}  no login",
        f"postgres  postgresql://analyst:{quote(password, safe='')}@{page(config, 'postgres')}/mlflow",
    ]


def lab(config, token):
    """Return the address of JupyterLab that logs in with its token."""
    return f"{page(config, 'notebook')}/lab?token={quote(token, safe='')}"


def page(config, service):
    """Return the address of a service for browsers, without secrets."""
    host = environment(config, "notebook")["NOTEBOOK_ADDRESS"].rpartition(":")[0]
    return for_programs(config, service) if service == "postgres" else url(service, host, address(config, service)[1])


def for_programs(config, service):
    """Return the address of a service for programs, many of which cannot resolve the host name for browsers."""
    return url(service, *address(config, service))


def url(service, host, port):
    """Return the URL of a service, without a scheme for postgres."""
    # Some browsers cannot open 0.0.0.0.
    host = "127.0.0.1" if host == "0.0.0.0" else host
    return f"{host}:{port}" if service == "postgres" else f"http://{host}:{port}"
