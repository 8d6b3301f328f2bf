"""MLflow and the notebook make no outbound requests by themselves, as their packets show."""

import contextlib
import ipaddress
import json
import subprocess

import pytest

from tests.support.copies import ROOT, TOKEN_HEADER
from toolbox.compose import SERVICES

pytestmark = pytest.mark.stack

PROGRAMS = ROOT / "tests" / "inside"
# A name and an address that do not exist.
OUTSIDE = "outside.example"
NOWHERE = "192.0.2.1"


@contextlib.contextmanager
def watched(toolbox, service):
    """Watch the network of a service during the block; then the given dictionary has the results of sniff.py."""
    privileges = ["--user", "0", "--cap-drop", "ALL", "--cap-add", "NET_RAW"]
    network = ["--network", f"container:{toolbox.container(service)}"]
    image = toolbox.inspect("mlflow")["Config"]["Image"]
    program = ["--entrypoint", "python", image, "-c", (PROGRAMS / "sniff.py").read_text()]
    command = ["docker", "run", "--rm", "--interactive", *privileges, *network, *program]
    seen = {}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout.readline() == "watching\n"
        yield seen
        seen.update(json.loads(watcher.communicate()[0]))


def start_once(toolbox, service, address, *command):
    """Start a second server in the container of a service, as its user, and stop it."""
    program = (PROGRAMS / "start_once.py").read_text()
    toolbox.compose("exec", "--no-TTY", service, "python", "-c", program, address, *command)


def foreign(toolbox, seen):
    """Return the addresses in `seen` that do not belong to the project's containers."""
    networks = [toolbox.inspect(service)["NetworkSettings"]["Networks"].values() for service in SERVICES]
    own = {network["IPAddress"] for attached in networks for network in attached}
    return [address for address in seen["addresses"] if address not in own and not loopback(address)]


def loopback(address):
    return ipaddress.ip_address(address).is_loopback


@pytest.mark.parametrize("service", ["mlflow", "notebook"])
def test_a_request_outside_is_detected(toolbox, service):
    program = f"""
import contextlib, socket
with contextlib.suppress(OSError):
    socket.getaddrinfo({OUTSIDE!r}, 443)
with contextlib.suppress(OSError):
    socket.create_connection(({NOWHERE!r}, 443), timeout=1)
"""
    with watched(toolbox, service) as seen:
        toolbox.compose("exec", "--no-TTY", service, "python", "-c", program)
    assert OUTSIDE in seen["names"]
    assert NOWHERE in foreign(toolbox, seen)


def test_mlflow_connects_only_to_the_database(toolbox):
    pages = [
        "/",
        "/ajax-api/3.0/mlflow/server-info",
        "/ajax-api/3.0/mlflow/ui-telemetry",
        "/ajax-api/3.0/mlflow/gateway/supported-providers",
        "/ajax-api/3.0/mlflow/gateway/supported-models",
        "/ajax-api/3.0/mlflow/gateway/supported-models?provider=openai",
        "/ajax-api/3.0/mlflow/assistant/providers",
    ]
    with watched(toolbox, "mlflow") as seen:
        start = ["env", "MLFLOW_PORT=5001", "python", "/opt/mlflow/start.py"]
        start_once(toolbox, "mlflow", "http://127.0.0.1:5001/health", *start)
        toolbox.in_notebook("train.py")
        assert [toolbox.get("mlflow", page)[0] for page in pages] == [200] * len(pages)
    assert seen["names"] == ["postgres"]
    assert foreign(toolbox, seen) == []


def test_the_notebook_connects_only_to_mlflow_and_the_database(toolbox):
    pages = ["/lab", "/lab/api/update", "/lab/api/news", "/lab/api/extensions?refresh=1", "/lab/api/settings"]
    with watched(toolbox, "notebook") as seen:
        start_once(toolbox, "notebook", "http://127.0.0.1:8889/api", "start-notebook.py", "--port=8889")
        logged = toolbox.in_notebook("train.py")
        toolbox.in_notebook("read_sql.py", logged["run_id"])
        statuses = [toolbox.get("notebook", page, **TOKEN_HEADER)[0] for page in pages]
        assert statuses == [200] * len(pages)
    assert seen["names"] == ["mlflow", "postgres"]
    assert foreign(toolbox, seen) == []


def test_telemetry_is_off_in_the_pages_of_mlflow(toolbox):
    _, answer = toolbox.get("mlflow", "/ajax-api/3.0/mlflow/ui-telemetry")
    assert json.loads(answer)["disable_ui_telemetry"] is True


def test_news_is_off_in_jupyterlab(toolbox):
    _, page = toolbox.get("notebook", "/lab", **TOKEN_HEADER)
    assert b'"news": {"disabled": true}' in page
