"""Validation of the settings before anything runs.

Compose and Docker accept most values, and mistakes would only show when a container does not become healthy.
"""

import re

from . import dotenv
from .errors import Failure, one_line

# The least memory with which each was measured to start and become healthy, in bytes.
LEAST_MEMORY = {"NOTEBOOK_MEMORY": 192 << 20, "MLFLOW_MEMORY": 256 << 20, "POSTGRES_MEMORY": 64 << 20}
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
# With less CPU, nothing becomes healthy in time.
LEAST_CPUS = 0.1
# Each may use 45 connections, and Postgres has 200; more workers would only wait for each other.
MOST_WORKERS = 32
# The largest UID that Docker accepts.
LARGEST_UID = (1 << 31) - 1
# The reference of an image: optionally a host, a path, optionally a tag and a digest.
IMAGE = (
    r"([A-Za-z0-9.-]+(:\d+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:\w[\w.-]{0,127})?"
    r"(@sha256:[0-9a-f]{64})?"
)
HOST = r"([\w-]+(\.[\w-]+)*\.?|\[[0-9A-Fa-f:]+\])(:\d+)?"


def like(pattern, remedy):
    """Return a check of values against a pattern."""
    return lambda value, name, cpus: None if re.fullmatch(pattern, value, flags=re.ASCII) else remedy


def number(least, most):
    """Return a check of whole numbers."""
    remedy = f"use a whole number from {least} to {most}"
    return lambda value, name, cpus: (
        None if re.fullmatch("[0-9]{1,10}", value) and least <= int(value) <= most else remedy
    )


def memory(value, name, cpus):
    """Check an amount of memory. 0 means no limit."""
    amount = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kmgt]?)b?", value.lower())
    if not amount:
        return "use a number and a unit without a space, such as 512m or 4g"
    size = float(amount[1]) * UNITS[amount[2]]
    if 0 < size < LEAST_MEMORY[name]:
        return f"it does not start with less than {LEAST_MEMORY[name] >> 20}m"
    return None


def cpu_count(value, name, cpus):
    """Check a number of CPUs, of which the engine's machine has `cpus`. 0 means all of them."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) and (not float(value) or LEAST_CPUS <= float(value) <= cpus):
        return None
    return f"use 0 for all, or a number from {LEAST_CPUS} to {cpus}, which is all"


switch = like("(?i:true|false)", "use true or false")
port = number(1, 65535)
image = like(IMAGE, "use the name of an image, such as registry.example.org/name:tag")

# Functions of a value, the name of its setting, and the number of CPUs: they return a remedy, or None if it is valid.
CHECKS = {
    "COMPOSE_PROJECT_NAME": like("[a-z0-9][a-z0-9_-]{0,62}", "use up to 63 lower-case letters, digits, - and _"),
    "PAGE_HOST": like(r"[\w-]+(\.[\w-]+)*", "use a name without a port, such as mine.localhost"),
    "TZ": like(r"[\w+-]+(/[\w+-]+)*", "use a time zone such as Asia/Tokyo"),
    "NOTEBOOK_PORT": port,
    "WORK_FOLDER": like("[~./][^:]*", "use an absolute path, or one that starts with ./ or ~/, without a colon"),
    "NOTEBOOK_UID": number(1, LARGEST_UID),
    "NOTEBOOK_MEMORY": memory,
    "NOTEBOOK_CPUS": cpu_count,
    "MLFLOW_ENABLE_ASYNC_LOGGING": switch,
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": switch,
    "SAFE_MODEL_FORMATS": switch,
    "NOTEBOOK_BASE_IMAGE": image,
    "MLFLOW_PORT": port,
    "MLFLOW_EXTRA_ALLOWED_HOSTS": like(
        f"{HOST}(, *{HOST})*", "use complete host names, with ports, separated by commas"
    ),
    "MLFLOW_WORKERS": number(1, MOST_WORKERS),
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": switch,
    "MLFLOW_EXPOSE_PROMETHEUS": like("/[^:]*", "use a folder in the container, such as /tmp/metrics"),
    "MLFLOW_MEMORY": memory,
    "MLFLOW_CPUS": cpu_count,
    "MLFLOW_BASE_IMAGE": image,
    "POSTGRES_PORT": port,
    "POSTGRES_MEMORY": memory,
    "POSTGRES_CPUS": cpu_count,
    "POSTGRES_IDLE_TRANSACTIONS": like("[0-9]{1,6}(s|min|h|d)", "use a time such as 30s, 10min, 1h or 1d"),
    "POSTGRES_BASE_IMAGE": image,
    "DB_STORE": like("[A-Za-z0-9][A-Za-z0-9_.-]*", "use letters, digits, . _ and -, starting with a letter or digit"),
}
# Any value is valid, or the configuration is checked instead: see compose.load and ports.check.
NOT_CHECKED = {
    "BIND_ADDRESS",
    "NO_PROXY",
    "JUPYTER_TOKEN",
    "NOTEBOOK_USER",
    "MLFLOW_DB_PASSWORD",
    "ANALYST_DB_PASSWORD",
}


def problems(values, cpus):
    """Yield cause and remedy for each setting in `values` that is not valid; `cpus` is the number of CPUs."""
    for name, check in CHECKS.items():
        value = values.get(name, "")
        # The values of variables are not known here.
        if value and "$" not in value and (remedy := check(value, name, cpus)):
            yield f'{name} is "{one_line(value)}": {remedy}.'


def found(toolbox):
    """Return the problems of the current settings, or of those that a new toolbox would have. Requires an engine."""
    cpus = toolbox.run("docker", "info", "--format", "{{.NCPU}}").stdout.strip()
    env = toolbox.root / ".env" if toolbox.is_new else toolbox.env
    values = {**dotenv.values(dotenv.read(env)), **toolbox.inherited_environment()}
    return list(problems(values, int(cpus) if cpus.isdecimal() else float("inf")))


def check(toolbox):
    """Raise Failure when a setting is not valid."""
    if wrong := found(toolbox):
        raise Failure(wrong[0])
