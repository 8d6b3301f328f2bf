"""The configuration as Compose understands it: docker-compose.yml with .env and the environment filled in."""

import ipaddress
import json
import re
from datetime import datetime

from .errors import Failure, last_line, one_line

# The long-running services, in start order.
SERVICES = ("postgres", "mlflow", "notebook")
# All services in start order, and those that run once and exit.
IN_ORDER = ("secrets", "postgres", "migrate", "mlflow", "notebook")
ONE_SHOTS = ("secrets", "migrate")

# The secrets that the service "secrets" generates unless they are set.
SECRETS = ("JUPYTER_TOKEN", "MLFLOW_DB_PASSWORD", "ANALYST_DB_PASSWORD")


def load(run):
    """Return the configuration as a dictionary.

    `run` takes the words of a command and returns a result with `ok`, `stdout` and `stderr`, without raising.
    Raises Failure when Compose rejects the configuration, a service is missing, a port is not one number, BIND_ADDRESS
    is not IPv4, or NOTEBOOK_USER is not a valid user name.
    """
    result = run("docker", "compose", "config", "--format", "json")
    if not result.ok:
        raise Failure(explain(result.stderr))
    config = json.loads(result.stdout)
    for service in SERVICES:
        try:
            published = config["services"][service]["ports"][0]
            port, host = published["published"], published["host_ip"]
        except LookupError:
            text = f"the configuration lacks {service}, or its port or address: correct docker-compose.yml"
            raise Failure(f"{text}, or the file that overrides it.") from None
        if not port.isdecimal() or int(port) == 0:
            raise Failure(f"{service.upper()}_PORT in .env is {port}: set it to one number from 1 to 65535.")
        # The containers' network is IPv4 only, and so are the hosts that MLflow allows.
        if ipaddress.ip_address(host).version != 4:
            raise Failure(not_ipv4(host))
    user = environment(config, "notebook").get("USER", "jovyan")
    # It is written to /etc/passwd, which a colon or newline would corrupt, and which allows 32 characters.
    if not re.fullmatch(r"\w[\w.@+-]{0,31}", user):
        raise Failure(f'NOTEBOOK_USER in .env is "{one_line(user)}": use up to 32 letters, digits and . _ - + @.')
    return config


def explain(stderr):
    """Return cause and remedy for a configuration that Compose rejects, from its `stderr`."""
    last = last_line(stderr) or "no reason given"
    # Compose quotes the line, which may contain a password.
    bad_line = re.search(r"failed to read .+?: line (\d+): ([a-z ]*[a-z])", stderr, flags=re.DOTALL)
    if bad_line:
        return f"Docker Compose cannot read line {bad_line[1]} of .env ({bad_line[2]}): correct it."
    bad_folder = re.search(r'"notebook" refers to undefined volume (.+?):', last)
    if bad_folder:
        return f"WORK_FOLDER in .env is {bad_folder[1]}: use an absolute path, or one that starts with ./ or ~/."
    bad_address = re.search(r"^invalid ip address:? (.*?)(?:: address .*)?$", last, flags=re.I)
    if bad_address:
        return not_ipv4(bad_address[1])
    return f"Docker Compose does not accept the configuration ({last}): correct .env or docker-compose.yml."


def not_ipv4(value):
    """Return cause and remedy for a BIND_ADDRESS that is not an IPv4 address."""
    return f"BIND_ADDRESS={value} is not an IPv4 address: set it in .env to one of this machine, such as 127.0.0.1."


def environment(config, service):
    """Return the environment variables of a service as its container will have them."""
    # Compose escapes dollar signs in its output.
    variables = config["services"][service]["environment"]
    return {name: value.replace("$$", "$") for name, value in variables.items() if value is not None}


def chosen_secrets(config):
    """Return the names of the secrets that are set, directly or by a file."""
    variables = environment(config, "secrets")
    return [name for name in SECRETS if (variables.get(name, "") + variables.get(f"{name}_FILE", "")).strip()]


def base_image(config, service):
    """Return the name of the image that the image of a service extends."""
    return config["services"][service]["build"]["args"]["BASE_IMAGE"]


def address(config, service):
    """Return the published address of a service as (host, port)."""
    published = config["services"][service]["ports"][0]
    return published["host_ip"], int(published["published"])


def containers(listed):
    """Return the output of `docker compose ps --format json`, one JSON object per line, as a dictionary by service.

    Containers of `docker compose run`, which a restore uses, are left out.
    """
    one_off = "com.docker.compose.oneoff=True"
    found = map(json.loads, listed.splitlines())
    return {entry["Service"]: entry for entry in found if one_off not in entry.get("Labels", "")}


def folder(container):
    """Return the directory of the clone that created a container, one of `containers`."""
    # Commas separate the labels, but the path may contain some; names of labels contain dots.
    entry = r"com\.docker\.compose\.project\.working_dir=(.*?)(?=,\w[\w-]*(?:\.[\w-]+)+=|\Z)"
    label = re.search(entry, container.get("Labels", ""), flags=re.DOTALL)
    return label and label[1]


def time(written):
    """Parse a time in Docker's format, such as 2026-11-28T09:05:01.123456789Z, without the fraction of a second."""
    return datetime.fromisoformat(re.sub(r"\.\d+", "", written).replace("Z", "+00:00"))
