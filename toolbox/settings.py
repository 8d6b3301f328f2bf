"""What is wrong with the values of settings, as far as it can be seen before anything runs.

Compose and Docker take most of them as they are: that one does not work shows when a container does not become healthy.
"""

import re

from . import dotenv
from .errors import Failure, one_line

# The least memory with which each was seen to start and become healthy, in bytes.
LEAST_MEMORY = {"NOTEBOOK_MEMORY": 192 << 20, "MLFLOW_MEMORY": 256 << 20, "POSTGRES_MEMORY": 64 << 20}
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
# With less of a processor nothing becomes healthy in time.
LEAST_CPUS = 0.1
# Each may take 45 connections, and Postgres has 200; far more only wait for each other.
MOST_WORKERS = 32
# The kernel's largest number of a user that Docker takes.
LARGEST_UID = (1 << 31) - 1
# An image as Docker takes it: perhaps a host, a path, perhaps a tag and a digest.
IMAGE = (
    r"([A-Za-z0-9.-]+(:\d+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:\w[\w.-]{0,127})?"
    r"(@sha256:[0-9a-f]{64})?"
)
HOST = r"([\w-]+(\.[\w-]+)*\.?|\[[0-9A-Fa-f:]+\])(:\d+)?"


def like(pattern, remedy):
    """Return a check for values of that pattern."""
    return lambda value, name, cpus: None if re.fullmatch(pattern, value, flags=re.ASCII) else remedy


def number(least, most):
    """Return a check for whole numbers."""
    remedy = f"take a whole number from {least} to {most}"
    return lambda value, name, cpus: (
        None if re.fullmatch("[0-9]{1,10}", value) and least <= int(value) <= most else remedy
    )


def memory(value, name, cpus):
    """Check an amount of memory. 0 is no limit."""
    amount = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kmgt]?)b?", value.lower())
    if not amount:
        return "take a number and a unit without a space, such as 512m or 4g"
    size = float(amount[1]) * UNITS[amount[2]]
    if 0 < size < LEAST_MEMORY[name]:
        return f"it does not start with less than {LEAST_MEMORY[name] >> 20}m"
    return None


def processors(value, name, cpus):
    """Check a number of processors, of which the engine's machine has `cpus`. 0 is all of them."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) and (not float(value) or LEAST_CPUS <= float(value) <= cpus):
        return None
    return f"take 0 for all, or a number from {LEAST_CPUS} to the {cpus} that there are"


switch = like("(?i:true|false)", "take true or false")
port = number(1, 65535)
image = like(IMAGE, "take the name of an image, such as registry.example.org/name:tag")

# What is wrong with the value of a setting, or None; asked with the value, the name, and how many processors there are.
CHECKS = {
    "COMPOSE_PROJECT_NAME": like("[a-z0-9][a-z0-9_-]{0,62}", "take up to 63 small letters, digits, - and _"),
    "PAGE_HOST": like(r"[\w-]+(\.[\w-]+)*", "take a name without a port, such as mine.localhost"),
    "TZ": like(r"[\w+-]+(/[\w+-]+)*", "take a time zone such as Asia/Tokyo"),
    "NOTEBOOK_PORT": port,
    "WORK_FOLDER": like("[~./][^:]*", "take a whole path, or one that begins with ./ or ~/, with no colon in it"),
    "NOTEBOOK_UID": number(1, LARGEST_UID),
    "NOTEBOOK_MEMORY": memory,
    "NOTEBOOK_CPUS": processors,
    "MLFLOW_ENABLE_ASYNC_LOGGING": switch,
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": switch,
    "SAFE_MODEL_FORMATS": switch,
    "NOTEBOOK_BASE_IMAGE": image,
    "MLFLOW_PORT": port,
    "MLFLOW_EXTRA_ALLOWED_HOSTS": like(
        f"{HOST}(, *{HOST})*", "take whole names, with their ports, and commas between them"
    ),
    "MLFLOW_WORKERS": number(1, MOST_WORKERS),
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": switch,
    "MLFLOW_EXPOSE_PROMETHEUS": like("/[^:]*", "take a folder in the container, such as /tmp/metrics"),
    "MLFLOW_MEMORY": memory,
    "MLFLOW_CPUS": processors,
    "MLFLOW_BASE_IMAGE": image,
    "POSTGRES_PORT": port,
    "POSTGRES_MEMORY": memory,
    "POSTGRES_CPUS": processors,
    "POSTGRES_IDLE_TRANSACTIONS": like("[0-9]{1,6}(s|min|h|d)", "take a time such as 30s, 10min, 1h or 1d"),
    "POSTGRES_BASE_IMAGE": image,
    "DB_STORE": like("[A-Za-z0-9][A-Za-z0-9_.-]*", "take letters, digits, . _ and -, a letter or digit first"),
}
# Whatever is written there is what is meant, or Compose's answer is looked at: see model.load and ports.check.
NOT_CHECKED = {
    "BIND_ADDRESS",
    "NO_PROXY",
    "JUPYTER_TOKEN",
    "NOTEBOOK_USER",
    "MLFLOW_DB_PASSWORD",
    "ANALYST_DB_PASSWORD",
}


def problems(values, cpus):
    """Yield what is wrong with `values`, which are settings by name, as cause and remedy; `cpus` are the processors."""
    for name, check in CHECKS.items():
        value = values.get(name, "")
        # What Compose fills in is not known here.
        if value and "$" not in value and (remedy := check(value, name, cpus)):
            yield f'{name} is "{one_line(value)}": {remedy}.'


def found(toolbox):
    """Return what is wrong with the settings that count now, or would for a new toolbox. An engine has to answer."""
    cpus = toolbox.run("docker", "info", "--format", "{{.NCPU}}").stdout.strip()
    env = toolbox.root / ".env" if toolbox.is_new else toolbox.env
    values = {**dotenv.values(dotenv.read(env)), **toolbox.surroundings()}
    return list(problems(values, int(cpus) if cpus.isdecimal() else float("inf")))


def check(toolbox):
    """Raise Failure when a value of a setting cannot work."""
    if wrong := found(toolbox):
        raise Failure(wrong[0])
