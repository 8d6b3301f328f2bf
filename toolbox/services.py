"""Starting the services, and why one does not start."""

import json
import time

from . import addresses, credentials, health, service_logs
from .compose import ONE_SHOTS
from .errors import Failure

LOG_LINES = 30
# How long the database may take to answer, and the pause between two questions.
DATABASE_SECONDS = 60
PAUSE_SECONDS = 0.2


def start_database(toolbox):
    """Start postgres and wait until it is healthy, or does not become so.

    Raises Failure when it refuses the volume, with postgres stopped again: the health checks would need minutes to show
    it, and not say why.
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
    """Start what does not run yet with the present settings, wait until all is healthy, and print the addresses.

    Raises Failure when a service does not become healthy.
    """
    bring_up(toolbox)
    # A role has changed its password, or the file of one has changed: all take the present ones when they start.
    if credentials.refused(toolbox):
        toolbox.compose("stop")
        bring_up(toolbox)
    token, password = credentials.read(toolbox, "notebook", "token"), credentials.read(toolbox, "postgres", "analyst")
    print("", *addresses.listed(toolbox.config, token, password), sep="\n")


def bring_up(toolbox):
    """Start what does not run yet and wait until all is healthy. Raises Failure when a service does not become so."""
    if not toolbox.compose("up", "--detach", "--wait", "--remove-orphans"):
        raise Failure(cause(toolbox))


def cause(toolbox):
    """Print the end of the log that shows why the toolbox is not healthy; return the reason and the remedy."""
    found = toolbox.containers()
    service = health.first_unhealthy(found)
    container = found.get(service)
    if service is None or health.state(container) in ("down", "created"):
        return "Docker could not start everything: its own message is above."
    # The container of a one-shot service is started again, and its log has the reasons of earlier starts.
    since = ["--since", service_logs.started_at(toolbox, container)] if service in ONE_SHOTS else []
    log = toolbox.compose("logs", "--no-log-prefix", *since, "--tail", str(LOG_LINES), service).stdout
    if reasons := service_logs.refusals(log):
        return reasons[-1]
    if service in ONE_SHOTS:
        return f"{service} did not come to its end, nothing was changed: see the end of its log above, and try again."
    checks = toolbox.run("docker", "inspect", "--format", "{{json .State.Health.Log}}", container["ID"]).stdout
    if said := json.loads(checks or "null"):
        print(f"The last health check said: {said[-1]['Output'].strip()}")
    return f"{service} did not become healthy ({health.state(container)}): the end of its log is above."
