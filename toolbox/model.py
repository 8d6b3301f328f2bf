"""The configuration as Compose understands it: docker-compose.yml with .env and the environment filled in."""

import json
import re

from .failure import Failure, last_line, one_line

# The services in the order in which they start.
SERVICES = ("postgres", "mlflow", "notebook")
# What runs once, between postgres and mlflow, and ends.
ONE_SHOT = "migrate"
IN_ORDER = ("postgres", ONE_SHOT, "mlflow", "notebook")

# What must be set in .env, by where it ends up in the configuration.
SECRETS = {
    "JUPYTER_TOKEN": ("notebook", "JUPYTER_TOKEN"),
    "POSTGRES_PASSWORD": ("postgres", "POSTGRES_PASSWORD"),
    "MLFLOW_DB_PASSWORD": ("postgres", "MLFLOW_DB_PASSWORD"),
    "ANALYST_DB_PASSWORD": ("postgres", "ANALYST_DB_PASSWORD"),
}


def load(run, env_file=None):
    """Return the configuration as a dictionary, with the settings of `env_file` in the place of .env if it is given.

    `run` takes a list of arguments and returns the result, with the attributes `ok`, `stdout` and `stderr`, and does
    not raise.
    Raises Failure when Compose refuses the configuration, a secret is blank, a port is not one number, or the user of the
    notebook has a name that no user can have.
    """
    chosen = ["--env-file", str(env_file)] if env_file else []
    result = run(["docker", "compose", *chosen, "config", "--format", "json"])
    if not result.ok:
        raise Failure(explained(result.stderr))
    model = json.loads(result.stdout)
    for name in SECRETS:
        if not secret(model, name).strip():
            raise Failure(f'{name} is blank in .env: set it there, or delete .env and run "invoke init".')
    for service in SERVICES:
        port = model["services"][service]["ports"][0]["published"]
        if not port.isdecimal() or int(port) == 0:
            raise Failure(f"{service.upper()}_PORT in .env is {port}: set it to one number from 1 to 65535.")
    person = environment(model, "notebook").get("USER", "jovyan")
    # With a colon or a line break it would be another entry of /etc/passwd, which takes no name longer than that.
    if not re.fullmatch(r"\w[\w.@+-]{0,31}", person):
        raise Failure(f'NOTEBOOK_USER in .env is "{one_line(person)}": take up to 32 letters, digits and . _ - + @.')
    return model


def explained(stderr):
    """Return why Compose refuses the configuration, as cause and remedy; `stderr` is what it printed there."""
    last = last_line(stderr) or "no reason given"
    # It quotes the line, which may hold a password.
    unread = re.search(r"failed to read \S+: line (\d+): ([a-z ]*[a-z])", stderr)
    if unread:
        return f"Docker Compose cannot read line {unread[1]} of .env ({unread[2]}): correct it."
    no_path = re.search(r'"notebook" refers to undefined volume (\S+):', last)
    if no_path:
        return f"WORK_FOLDER in .env is {no_path[1]}: give a whole path, or one that begins with ./ or ~/."
    required = re.search(r"required variable (\w+) is missing a value: (.*)", last)
    if required:
        return f"{required[1]} is missing or blank: {required[2]}."
    return f"Docker Compose does not accept the configuration ({last}): correct .env or docker-compose.yml."


def environment(model, service):
    """Return the environment variables of a service as the container will see them."""
    # Compose prints its own escape of a dollar sign.
    return {name: value.replace("$$", "$") for name, value in model["services"][service]["environment"].items()}


def secret(model, name):
    """Return the value of one of the SECRETS."""
    service, variable = SECRETS[name]
    return environment(model, service)[variable]


def base_image(model, service):
    """Return the name of the image that the image of a service extends."""
    return model["services"][service]["build"]["args"]["BASE_IMAGE"]


def address(model, service):
    """Return where a service can be reached from this machine, as (host, port)."""
    published = model["services"][service]["ports"][0]
    return published["host_ip"], int(published["published"])


def images(model):
    """Return the names of the images that are built for the services, as Compose makes them up."""
    return [f"{model['name']}-{service}" for service in (*SERVICES, ONE_SHOT)]


def containers(listed):
    """Return what `docker compose ps --format json` printed, a JSON object a line, as a dictionary by service.

    What `docker compose run` made is not one of them; a restore works in such containers.
    """
    once = "com.docker.compose.oneoff=True"
    found = map(json.loads, listed.splitlines())
    return {entry["Service"]: entry for entry in found if once not in entry.get("Labels", "")}


def folder(container):
    """Return the folder of the repository from which a container was made; `container` is one of `containers`."""
    label = re.search(r"com\.docker\.compose\.project\.working_dir=([^,]*)", container.get("Labels", ""))
    return label and label[1]
