"""The configuration as Compose understands it: docker-compose.yml with .env and the environment filled in."""

import ipaddress
import json
import re
from datetime import datetime

from .errors import Failure, last_line, one_line

# The services in the order in which they start.
SERVICES = ("postgres", "mlflow", "notebook")
# All that runs, and those of them that do one thing and end.
IN_ORDER = ("secrets", "postgres", "migrate", "mlflow", "notebook")
ONE_SHOTS = ("secrets", "migrate")

# What the service "secrets" makes, unless it is set.
SECRETS = ("JUPYTER_TOKEN", "MLFLOW_DB_PASSWORD", "ANALYST_DB_PASSWORD")


def load(run):
    """Return the configuration as a dictionary.

    `run` takes the words of a command and returns the result, with the attributes `ok`, `stdout` and `stderr`, and does
    not raise.
    Raises Failure when Compose refuses the configuration, a service is missing, a port is not one number, the address
    to publish on is not IPv4, or the user of the notebook has a name that no user can have.
    """
    result = run("docker", "compose", "config", "--format", "json")
    if not result.ok:
        raise Failure(explained(result.stderr))
    model = json.loads(result.stdout)
    for service in SERVICES:
        try:
            published = model["services"][service]["ports"][0]
            port, host = published["published"], published["host_ip"]
        except LookupError:
            text = f"the configuration has no {service}, or not its port and address: correct docker-compose.yml"
            raise Failure(f"{text}, or the file that overrides it.") from None
        if not port.isdecimal() or int(port) == 0:
            raise Failure(f"{service.upper()}_PORT in .env is {port}: set it to one number from 1 to 65535.")
        # The network of the containers is IPv4, and so is what MLflow knows of its own addresses.
        if ipaddress.ip_address(host).version != 4:
            raise Failure(no_address(host))
    person = environment(model, "notebook").get("USER", "jovyan")
    # With a colon or a line break it would be another entry of /etc/passwd, which takes no name longer than that.
    if not re.fullmatch(r"\w[\w.@+-]{0,31}", person):
        raise Failure(f'NOTEBOOK_USER in .env is "{one_line(person)}": take up to 32 letters, digits and . _ - + @.')
    return model


def explained(stderr):
    """Return why Compose refuses the configuration, as cause and remedy; `stderr` is what it printed there."""
    last = last_line(stderr) or "no reason given"
    # It quotes the line, which may hold a password.
    unread = re.search(r"failed to read .+?: line (\d+): ([a-z ]*[a-z])", stderr, flags=re.DOTALL)
    if unread:
        return f"Docker Compose cannot read line {unread[1]} of .env ({unread[2]}): correct it."
    no_path = re.search(r'"notebook" refers to undefined volume (.+?):', last)
    if no_path:
        return f"WORK_FOLDER in .env is {no_path[1]}: give a whole path, or one that begins with ./ or ~/."
    no_ip = re.search(r"^invalid ip address:? (.*?)(?:: address .*)?$", last, flags=re.I)
    if no_ip:
        return no_address(no_ip[1])
    return f"Docker Compose does not accept the configuration ({last}): correct .env or docker-compose.yml."


def no_address(value):
    """Return what to say of a BIND_ADDRESS that is no IPv4 address."""
    return f"BIND_ADDRESS={value} is not an IPv4 address: set it in .env to one of this machine, such as 127.0.0.1."


def environment(model, service):
    """Return the environment variables of a service as the container will see them."""
    # Compose prints its own escape of a dollar sign.
    variables = model["services"][service]["environment"]
    return {name: value.replace("$$", "$") for name, value in variables.items() if value is not None}


def chosen_secrets(model):
    """Return the names of the secrets that somebody has set, or whose file somebody has named."""
    variables = environment(model, "secrets")
    return [name for name in SECRETS if (variables.get(name, "") + variables.get(f"{name}_FILE", "")).strip()]


def base_image(model, service):
    """Return the name of the image that the image of a service extends."""
    return model["services"][service]["build"]["args"]["BASE_IMAGE"]


def address(model, service):
    """Return where a service can be reached from this machine, as (host, port)."""
    published = model["services"][service]["ports"][0]
    return published["host_ip"], int(published["published"])


def containers(listed):
    """Return what `docker compose ps --format json` printed, a JSON object a line, as a dictionary by service.

    What `docker compose run` made is not one of them; a restore works in such containers.
    """
    once = "com.docker.compose.oneoff=True"
    found = map(json.loads, listed.splitlines())
    return {entry["Service"]: entry for entry in found if once not in entry.get("Labels", "")}


def folder(container):
    """Return the folder of the repository from which a container was made; `container` is one of `containers`."""
    # Commas stand between the labels, and may be in the name too; the names of labels have dots.
    entry = r"com\.docker\.compose\.project\.working_dir=(.*?)(?=,\w[\w-]*(?:\.[\w-]+)+=|\Z)"
    label = re.search(entry, container.get("Labels", ""), flags=re.DOTALL)
    return label and label[1]


def time(written):
    """Return a time as Docker writes it, such as 2026-11-28T09:05:01.123456789Z, without the part of a second."""
    return datetime.fromisoformat(re.sub(r"\.\d+", "", written).replace("Z", "+00:00"))
