"""The server starts differently from `mlflow server` and with fewer packages, but does the same."""

import http.client
import json
import re

import pytest

from tests.support.crashes import workers
from tests.support.waiting import DATABASE_ROUTE

pytestmark = pytest.mark.stack

# Some requests take long, such as creating a demo with many traces.
TIMEOUT_SECONDS = 120
# MLflow's responses to meaningless requests: not implemented, or no workspaces.
EXPECTED = (200, 201, 204, 400, 404, 405, 409, 422, 501, 503)
# Unmodified MLflow responds with 500 to these without data.
BROKEN = ("/graphql", "/api/2.0/mlflow/traces", "/ajax-api/2.0/mlflow/traces")


# --- Processes ---


def test_the_server_is_one_process_with_two_forked_workers_and_nothing_else(toolbox):
    listed = toolbox.run("docker", "top", toolbox.container("mlflow"), "-o", "pid,args").stdout.splitlines()[1:]
    # Apart from Docker's init process and occasional health checks.
    commands = [line.split(maxsplit=1)[1] for line in listed]
    servers = [line for line in commands if "docker-init" not in line and "healthcheck" not in line]
    assert servers == ["python /opt/mlflow/start.py"] * 3
    assert len(workers(toolbox)) == 2


def test_the_process_that_forks_workers_has_a_single_thread(toolbox):
    # A lock held by another thread at the fork would stay locked in the worker.
    listed = toolbox.run("docker", "top", toolbox.container("mlflow"), "-o", "pid,ppid,nlwp,args").stdout.splitlines()
    processes = [line.split(maxsplit=3) for line in listed[1:]]
    parents = {parent for pid, parent, _, _ in processes if pid in workers(toolbox)}
    assert [threads for pid, _, threads, _ in processes if pid in parents] == ["1"]


def test_both_workers_run_on_uvloop_and_httptools(toolbox):
    # With plain asyncio and several workers, every request waits for a delayed ACK.
    for library in ("uvloop/loop", "httptools/parser"):
        command = f"grep -l {library} /proc/[0-9]*/maps 2>/dev/null; true"
        assert len(toolbox.host("mlflow").check_output(command).split()) >= 2


def test_connections_of_the_server_have_tcp_nodelay(toolbox):
    clients = [http.client.HTTPConnection("127.0.0.1", toolbox.ports["MLFLOW_PORT"], timeout=30) for _ in range(20)]
    for client in clients:
        client.request("GET", DATABASE_ROUTE)
        assert client.getresponse().read()
    privileges = ("--pid", "host", "--user", "0", "--cap-add", "SYS_PTRACE", "--security-opt", "seccomp=unconfined")
    image = toolbox.inspect("mlflow")["Config"]["Image"]
    program = (toolbox.root / "tests" / "inside" / "nodelay.py").read_text()
    command = ["--entrypoint", "python", image, "-c", program, "5000", *workers(toolbox)]
    result = toolbox.run("docker", "run", "--rm", *privileges, *command)
    assert result.returncode == 0, result.stderr
    nodelay = json.loads(result.stdout)
    # Idle connections of the notebook may be among them.
    assert len(nodelay) >= len(clients)
    assert all(nodelay)


def test_no_two_processes_share_a_connection_to_the_database(toolbox):
    for _ in range(20):
        assert toolbox.get("mlflow", DATABASE_ROUTE)[0] == 200
    holders = toolbox.in_container("mlflow", "connections.py", "5432")
    assert holders
    assert set(holders) == {1}


# --- Comparison with `mlflow server` ---


@pytest.fixture(
    scope="module", params=[{}, {"MLFLOW_EXPOSE_PROMETHEUS": "/tmp/metrics", "MLFLOW_WORKERS": "4"}], ids=str
)
def compared(request, toolbox):
    """The arguments and environment that serve.py and `mlflow server` would give to their workers."""
    settings = [option for name, value in request.param.items() for option in ("--env", f"{name}={value}")]
    program = (toolbox.root / "tests" / "inside" / "mlflow_server.py").read_text()
    return json.loads(
        toolbox.compose("exec", "--no-TTY", *settings, "mlflow", "python", "-c", program).splitlines()[-1]
    )


def test_the_workers_have_the_same_environment_as_with_mlflow_server(compared):
    ours, theirs = compared["ours"]["environment"], compared["theirs"]["environment"]
    assert ours.keys() == theirs.keys()
    assert {name for name in ours if ours[name] != theirs[name]} == {"_MLFLOW_SERVER_BOOT_ID"}


def test_uvicorn_has_the_same_options_as_with_mlflow_server(compared):
    ours, theirs = compared["ours"]["options"], compared["theirs"]["options"]
    assert [option for option in ours if option != "--factory"] == theirs


def test_unknown_settings_of_mlflow_server_are_left_to_it(compared):
    # Set in docker-compose.yml and the image, or read by the server's own modules.
    known = {
        "MLFLOW_ARTIFACTS_DESTINATION",
        "MLFLOW_BACKEND_STORE_URI",
        "MLFLOW_EXPOSE_PROMETHEUS",
        "MLFLOW_HOST",
        "MLFLOW_PORT",
        "MLFLOW_SERVER_ALLOWED_HOSTS",
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS",
        "MLFLOW_SERVER_X_FRAME_OPTIONS",
        "MLFLOW_UVICORN_OPTS",
        "MLFLOW_WORKERS",
    }
    assert set(compared["variables"]) - known <= set(compared["left"])


# --- Queries ---


def test_searches_find_the_same_runs_in_the_same_order_as_unmodified_mlflow(toolbox):
    found = toolbox.in_container("mlflow", "search_runs.py")
    assert found["ours"] == found["plain"]
    assert len(found["plain"]["all"]) == 10
    assert found["distinct only with data sets"] == [True]


# --- With fewer packages ---


def import_errors(toolbox):
    """Return the import errors in the log of the server."""
    log = toolbox.compose("logs", "mlflow")
    return re.findall(r".*(?:No module named|ModuleNotFoundError|ImportError).*", log)


def test_each_part_of_mlflow_works_from_the_notebook(toolbox):
    assert toolbox.in_notebook("use_everything.py") == {
        "inputs": ["table"],
        "artifact": {"a": 1},
        "table": ["that"],
        "logged model": "line",
        "prediction": 8.0,
        "prompt": "Hello you",
        "trace": [{"answer": "that"}, ["right"]],
        "traces": 1,
        "records": 1,
        "GraphQL": [{"name": "line", "version": "1"}],
    }
    assert import_errors(toolbox) == []


def test_every_route_of_mlflow_responds(toolbox):
    routes = [tuple(route) for route in toolbox.in_container("mlflow", "routes.py")]
    assert ("POST", "/api/2.0/mlflow/runs/log-metric") in routes
    assert len(routes) > 500
    failed = []
    for method, path in routes:
        if method in ("HEAD", "OPTIONS") or path in BROKEN:
            continue
        # An artifact called 1 would take the place of the directory of experiment 1.
        filled = re.sub(r"(<path:|\{path)[^>}]*[>}]", "of-a-route", path)
        filled = re.sub(r"<[^>]*>|\{[^}]*\}", "1", filled)
        body = None if method == "GET" else {}
        options = {"Content_Type": "application/json", "timeout": TIMEOUT_SECONDS}
        status, answer = toolbox.request(method, "mlflow", filled, body=body, **options)
        if status not in EXPECTED:
            failed.append((method, path, status, answer[:200]))
    # One of the routes created the demo.
    assert toolbox.post("/ajax-api/3.0/mlflow/demo/delete", {})[0] == 200
    assert failed == []
    assert import_errors(toolbox) == []


def test_every_file_of_mlflows_pages_exists(toolbox):
    _, page = toolbox.get("mlflow", "/")
    names = re.findall(r'(?:src|href)="([^"]*static-files/[^"]+)"', page.decode())
    assert any(name.endswith(".js") for name in names)
    assert any(name.endswith(".css") for name in names)
    assert [name for name in names if toolbox.get("mlflow", f"/{name.lstrip('./')}")[0] != 200] == []


def test_prometheus_metrics_are_served_only_if_switched_on(toolbox):
    with toolbox.changed(MLFLOW_EXPOSE_PROMETHEUS="/tmp/metrics"):
        toolbox.compose("up", "--detach", "--wait", "mlflow")
        status, text = toolbox.get("mlflow", "/metrics")
    toolbox.compose("up", "--detach", "--wait")
    assert status == 200
    assert b"mlflow_http_request_total" in text
    assert toolbox.get("mlflow", "/metrics")[0] == 404


def test_background_jobs_run_only_if_switched_on(toolbox):
    with toolbox.changed(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="true", MLFLOW_MEMORY="4g"):
        toolbox.compose("up", "--detach", "--wait", "mlflow")
        commands = toolbox.host("mlflow").check_output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        assert toolbox.get("mlflow", DATABASE_ROUTE)[0] == 200
    toolbox.compose("up", "--detach", "--wait")
    assert "huey" in commands
    assert "mlflow server --app-name data-toolbox" in commands
    after = toolbox.host("mlflow").check_output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "huey" not in after
