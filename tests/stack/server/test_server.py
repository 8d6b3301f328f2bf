"""The server is started in another way than `mlflow server` starts it, with fewer packages: it does all the same."""

import http.client
import json
import re

import pytest

from tests.support.crashes import workers
from tests.support.waiting import DATABASE_ROUTE

pytestmark = pytest.mark.stack

# Some of what the pages can ask for takes its time, such as a demonstration with many traces.
TIMEOUT_SECONDS = 120
# Answers to requests that are no use, as every server of MLflow gives them: not implemented, or no workspaces.
EXPECTED = (200, 201, 204, 400, 404, 405, 409, 422, 501, 503)
# MLflow itself answers 500 when one of these is sent nothing.
BROKEN = ("/graphql", "/api/2.0/mlflow/traces", "/ajax-api/2.0/mlflow/traces")


# --- Processes ---


def test_the_workers_are_forks_of_one_process_and_there_are_no_others(toolbox):
    listed = toolbox.run("docker", "top", toolbox.container("mlflow"), "-o", "pid,args").stdout.splitlines()[1:]
    # Beside Docker's own first process, and a health check now and then.
    commands = [line.split(maxsplit=1)[1] for line in listed]
    servers = [line for line in commands if "docker-init" not in line and "healthcheck" not in line]
    assert servers == ["python /opt/mlflow/start.py"] * 3
    assert len(workers(toolbox)) == 2


def test_the_process_that_forks_has_no_other_thread(toolbox):
    # A lock that another thread holds at that moment would be held in the worker for ever.
    listed = toolbox.run("docker", "top", toolbox.container("mlflow"), "-o", "pid,ppid,nlwp,args").stdout.splitlines()
    processes = [line.split(maxsplit=3) for line in listed[1:]]
    parents = {parent for pid, parent, _, _ in processes if pid in workers(toolbox)}
    assert [threads for pid, _, threads, _ in processes if pid in parents] == ["1"]


def test_both_workers_run_on_uvloop_and_httptools(toolbox):
    # Plain asyncio with two or more workers lets every request wait for a delayed ACK.
    for library in ("uvloop/loop", "httptools/parser"):
        command = f"grep -l {library} /proc/[0-9]*/maps 2>/dev/null; true"
        assert len(toolbox.host("mlflow").check_output(command).split()) >= 2


def test_answers_are_sent_at_once(toolbox):
    clients = [http.client.HTTPConnection("127.0.0.1", toolbox.ports["MLFLOW_PORT"], timeout=30) for _ in range(20)]
    for client in clients:
        client.request("GET", DATABASE_ROUTE)
        assert client.getresponse().read()
    strong = ("--pid", "host", "--user", "0", "--cap-add", "SYS_PTRACE", "--security-opt", "seccomp=unconfined")
    image = toolbox.inspect("mlflow")["Config"]["Image"]
    program = (toolbox.root / "tests" / "inside" / "nodelay.py").read_text()
    command = ["--entrypoint", "python", image, "-c", program, "5000", *workers(toolbox)]
    result = toolbox.run("docker", "run", "--rm", *strong, *command)
    assert result.returncode == 0, result.stderr
    at_once = json.loads(result.stdout)
    # Idle connections of the notebook may be among them.
    assert len(at_once) >= len(clients)
    assert all(at_once)


def test_no_two_processes_share_a_connection_to_the_database(toolbox):
    for _ in range(20):
        assert toolbox.get("mlflow", DATABASE_ROUTE)[0] == 200
    held = toolbox.in_container("mlflow", "connections.py", "5432")
    assert held
    assert set(held) == {1}


# --- What `mlflow server` does ---


@pytest.fixture(
    scope="module", params=[{}, {"MLFLOW_EXPOSE_PROMETHEUS": "/tmp/metrics", "MLFLOW_WORKERS": "4"}], ids=str
)
def compared(request, toolbox):
    """What serve.py and what MLflow itself would have the workers do."""
    settings = [word for name, value in request.param.items() for word in ("--env", f"{name}={value}")]
    program = (toolbox.root / "tests" / "inside" / "mlflow_server.py").read_text()
    return json.loads(
        toolbox.compose("exec", "--no-TTY", *settings, "mlflow", "python", "-c", program).splitlines()[-1]
    )


def test_the_workers_are_told_what_mlflow_tells_them(compared):
    ours, theirs = compared["ours"]["environment"], compared["theirs"]["environment"]
    assert ours.keys() == theirs.keys()
    assert {name for name in ours if ours[name] != theirs[name]} == {"_MLFLOW_SERVER_BOOT_ID"}


def test_uvicorn_is_called_as_mlflow_calls_it(compared):
    ours, theirs = compared["ours"]["options"], compared["theirs"]["options"]
    assert [option for option in ours if option != "--factory"] == theirs


def test_what_else_mlflow_can_be_told_is_left_to_it(compared):
    # As docker-compose.yml and the image set them, and what the server's own modules read.
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


# --- What is asked of the database ---


def test_searches_find_the_same_runs_in_the_same_order_as_without_the_change_to_them(toolbox):
    found = toolbox.in_container("mlflow", "search_runs.py")
    assert found["ours"] == found["plain"]
    assert len(found["plain"]["all"]) == 10
    assert found["distinct only with data sets"] == [True]


# --- With fewer packages ---


def missed(toolbox):
    """Return the lines of the log in which a part of the server missed a package."""
    log = toolbox.compose("logs", "mlflow")
    return re.findall(r".*(?:No module named|ModuleNotFoundError|ImportError).*", log)


def test_everything_works_from_the_notebook(toolbox):
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
    assert missed(toolbox) == []


def test_every_route_answers(toolbox):
    routes = [tuple(route) for route in toolbox.in_container("mlflow", "routes.py")]
    assert ("POST", "/api/2.0/mlflow/runs/log-metric") in routes
    assert len(routes) > 500
    failed = []
    for method, path in routes:
        if method in ("HEAD", "OPTIONS") or path in BROKEN:
            continue
        filled = re.sub(r"<[^>]*>|\{[^}]*\}", "1", path)
        body = None if method == "GET" else {}
        options = {"Content_Type": "application/json", "timeout": TIMEOUT_SECONDS}
        status, answer = toolbox.request(method, "mlflow", filled, body=body, **options)
        if status not in EXPECTED:
            failed.append((method, path, status, answer[:200]))
    # The demonstration is there now.
    assert toolbox.post("/ajax-api/3.0/mlflow/demo/delete", {})[0] == 200
    assert failed == []
    assert missed(toolbox) == []


def test_every_file_of_the_pages_is_there(toolbox):
    _, page = toolbox.get("mlflow", "/")
    names = re.findall(r'(?:src|href)="([^"]*static-files/[^"]+)"', page.decode())
    assert any(name.endswith(".js") for name in names)
    assert any(name.endswith(".css") for name in names)
    assert [name for name in names if toolbox.get("mlflow", f"/{name.lstrip('./')}")[0] != 200] == []


def test_metrics_are_shown_to_prometheus_where_that_is_switched_on(toolbox):
    with toolbox.changed(MLFLOW_EXPOSE_PROMETHEUS="/tmp/metrics"):
        toolbox.compose("up", "--detach", "--wait", "mlflow")
        status, text = toolbox.get("mlflow", "/metrics")
    toolbox.compose("up", "--detach", "--wait")
    assert status == 200
    assert b"mlflow_http_request_total" in text
    assert toolbox.get("mlflow", "/metrics")[0] == 404


def test_background_jobs_run_where_they_are_switched_on(toolbox):
    with toolbox.changed(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="true", MLFLOW_MEMORY="4g"):
        toolbox.compose("up", "--detach", "--wait", "mlflow")
        commands = toolbox.host("mlflow").check_output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        assert toolbox.get("mlflow", DATABASE_ROUTE)[0] == 200
    toolbox.compose("up", "--detach", "--wait")
    assert "huey" in commands
    assert "mlflow server --app-name data-toolbox" in commands
    after = toolbox.host("mlflow").check_output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "huey" not in after
