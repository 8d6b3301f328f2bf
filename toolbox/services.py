"""Start the services, and explain why one does not start."""

import json
import time

from . import addresses, credentials, health, service_logs
from .compose import ONE_SHOTS
from .errors import Failure

LOG_LINES = 30
# The timeout for the start of the database, and the interval of polling.
DATABASE_SECONDS = 60
PAUSE_SECONDS = 0.2


def start_database(toolbox):
    """Start postgres, and wait until it is healthy, or has stopped, or DATABASE_SECONDS have passed.

    Raises Failure when it rejects its volume, after stopping it: the health checks would take minutes to fail, without
    the reason.
    """
    started = toolbox.compose("up", "--detach", "postgres")
    end = time.monotonic() + DATABASE_SECONDS
    while started and not health.is_healthy(found := toolbox.containers().get("postgres")):
        if time.monotonic() >= end or not health.is_running(found):
            break
        if reasons := service_logs.refusals(service_logs.since_start(toolbox, "postgres", found)):
            toolbox.compose("stop", "postgres")
            raise Failure(reasons[-1])
        time.sleep(PAUSE_SECONDS)


def start(toolbox):
    """Start all services with the current settings, wait until they are healthy, and print their addresses.

    Raises Failure when a service does not become healthy.
    """
    bring_up(toolbox)
    # A role or its file has another password now; all services read the current ones at start.
    if credentials.refused(toolbox):
        toolbox.compose("stop")
        bring_up(toolbox)
    token, password = credentials.read(toolbox, "notebook", "token"), credentials.read(toolbox, "postgres", "analyst")
    print("", *addresses.summary(toolbox.config, token, password), sep="\n")


def bring_up(toolbox):
    """Start all services and wait until they are healthy. Raises Failure when one does not become healthy."""
    if not toolbox.compose("up", "--detach", "--wait", "--remove-orphans"):
        raise Failure(cause(toolbox))


def cause(toolbox):
    """Print the end of the log that shows why the toolbox is not healthy; return cause and remedy."""
    found = toolbox.containers()
    service = health.first_unhealthy(found)
    container = found.get(service)
    if service is None or health.state(container) in ("down", "created"):
        return "Docker could not start everything: its own message is above."
    # A one-shot container is started repeatedly, so its log has the reasons of earlier starts.
    since = ["--since", service_logs.started_at(toolbox, container)] if service in ONE_SHOTS else []
    log = toolbox.compose("logs", "--no-log-prefix", *since, "--tail", str(LOG_LINES), service).stdout
    if reasons := service_logs.refusals(log):
        return reasons[-1]
    if service in ONE_SHOTS:
        return f"{service} did not finish, nothing was changed: see the end of its log above, and try again."
    checks = toolbox.run("docker", "inspect", "--format", "{{json .State.Health.Log}}", container["ID"]).stdout
    if results := json.loads(checks or "null"):
        print(f"The last health check printed: {results[-1]['Output'].strip()}")
    return f"{service} did not become healthy ({health.state(container)}): the end of its log is above."
