"""What an attacker finds: containers without rights, limits that hold, and a tracking server that refuses tricks."""

import json

import pytest
from waiting import answers

from toolbox.model import SERVICES

pytestmark = pytest.mark.stack


def post(toolbox, path, body, **headers):
    """Send JSON to MLflow; return (status, answer)."""
    status, answer = toolbox.request("POST", "mlflow", path, body=body, Content_Type="application/json", **headers)
    try:
        return status, json.loads(answer)
    except ValueError:
        return status, {}


@pytest.fixture(scope="module")
def experiment(toolbox):
    """The id of an experiment with artifacts in the usual place."""
    status, answer = post(toolbox, "/api/2.0/mlflow/experiments/create", {"name": "attacked"})
    assert status == 200
    return answer["experiment_id"]


# --- The containers ---


@pytest.mark.parametrize("service", SERVICES)
def test_no_process_has_or_can_gain_a_capability(toolbox, service):
    status = dict(
        line.split(":", 1)
        for line in toolbox.host(service).file("/proc/1/status").content_string.splitlines()
        if ":" in line
    )
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"].strip() == "1"


@pytest.mark.parametrize("service", SERVICES)
def test_even_a_command_in_the_container_is_not_run_as_root(toolbox, service):
    assert toolbox.host(service).check_output("id -u") != "0"


@pytest.mark.parametrize(("service", "folder"), [("mlflow", "/mlflow"), ("postgres", "/var/lib/postgresql")])
def test_the_root_file_system_cannot_be_written(toolbox, service, folder):
    for place in ("/usr/local/bin", "/etc", folder):
        result = toolbox.host(service).run(f"touch {place}/mine")
        assert result.rc != 0
        assert "Read-only file system" in result.stderr or "Permission denied" in result.stderr
    assert toolbox.inspect(service)["HostConfig"]["ReadonlyRootfs"]


def test_too_many_processes_harm_only_who_starts_them(toolbox):
    started = toolbox.host("notebook").run("for i in $(seq 3000); do sleep 5 & done 2>&1 | tail -1; wait")
    assert "fork" in started.stdout + started.stderr
    assert answers(toolbox)
    assert toolbox.get("notebook", "/api")[0] == 200


def test_too_much_memory_ends_the_process_and_not_the_notebook_server(toolbox):
    before = toolbox.inspect("notebook")["State"]["StartedAt"]
    assert toolbox.host("notebook").run("python -c 'b\"x\" * (5 << 30)'").rc == 137
    assert toolbox.inspect("notebook")["State"]["StartedAt"] == before
    assert toolbox.get("notebook", "/api")[0] == 200


@pytest.mark.parametrize("service", SERVICES)
def test_the_log_of_a_service_cannot_fill_the_disk(toolbox, service):
    assert toolbox.inspect(service)["HostConfig"]["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}


def test_postgres_is_shut_down_cleanly(toolbox):
    toolbox.compose("stop", "postgres")
    try:
        log = toolbox.compose("logs", "--tail", "3", "postgres")
        assert "database system is shut down" in log
        assert toolbox.inspect("postgres")["State"]["ExitCode"] == 0
    finally:
        toolbox.compose("up", "--wait")


# --- MLflow ---


@pytest.mark.parametrize("origin", ["http://evil.example", "https://localhost.evil.example", "null"])
@pytest.mark.parametrize("api", ["api", "ajax-api"])
def test_a_foreign_web_page_cannot_change_anything(toolbox, origin, api):
    name = f"from {origin} by {api}"
    assert post(toolbox, f"/{api}/2.0/mlflow/experiments/create", {"name": name}, Origin=origin)[0] == 403
    assert (
        toolbox.get("mlflow", f"/api/2.0/mlflow/experiments/get-by-name?experiment_name={name.replace(' ', '%20')}")[0]
        == 404
    )


def test_the_pages_of_the_server_itself_can(toolbox):
    assert (
        post(toolbox, "/ajax-api/2.0/mlflow/experiments/search", {"max_results": 1}, Origin=toolbox.url("mlflow", ""))[
            0
        ]
        == 200
    )


def test_the_pages_cannot_be_framed_by_others(toolbox):
    assert toolbox.headers("mlflow", "/")["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "..%252f..%252fetc%252fpasswd",
        "/etc/passwd",
        "..\\..\\etc\\passwd",
    ],
)
def test_a_path_out_of_the_artifacts_is_refused(toolbox, experiment, path):
    _, answer = post(toolbox, "/api/2.0/mlflow/runs/create", {"experiment_id": experiment})
    run = answer["run"]["info"]["run_id"]
    for route in (f"/get-artifact?run_uuid={run}&path={path}", f"/api/2.0/mlflow-artifacts/artifacts/{path}"):
        status, body = toolbox.get("mlflow", route)
        assert status >= 400, route
        assert b"root:" not in body


def upload(toolbox, experiment):
    """Upload a file into a new run of an experiment, as MLflow's own page does; return the status."""
    _, answer = post(toolbox, "/api/2.0/mlflow/runs/create", {"experiment_id": experiment})
    route = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={answer['run']['info']['run_id']}&path=planted.txt"
    return post(toolbox, route, "x")[0]


def planted(toolbox):
    """Return where in the mlflow container the uploaded file is."""
    find = "find / -name planted.txt -not -path '/proc/*' 2>/dev/null || true"
    return toolbox.host("mlflow").check_output(find).splitlines()


def test_an_upload_goes_to_the_artifact_volume(toolbox, experiment):
    assert upload(toolbox, experiment) == 200
    assert [path.startswith("/mlflow/artifacts/") for path in planted(toolbox)] == [True]


@pytest.mark.parametrize(
    "place",
    [
        "file:///etc",
        "/etc",
        "file:///mlflow/artifacts/../../etc",
        "file://localhost/etc",
        "file:///mlflow",
        "file:///opt",
    ],
)
def test_an_upload_into_an_experiment_elsewhere_makes_no_file_there(toolbox, place):
    made = {"name": f"at {place}", "artifact_location": place}
    status, answer = post(toolbox, "/api/2.0/mlflow/experiments/create", made)
    assert status != 200 or upload(toolbox, answer["experiment_id"]) >= 400
    assert all(path.startswith("/mlflow/artifacts/") for path in planted(toolbox))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("runs/log-batch", {"run_id": "x" * 100_000, "metrics": []}),
        ("experiments/create", {"name": "x" * 1_000_000}),
        ("experiments/create", {"name": ["not", "a", "name"]}),
        ("runs/search", {"experiment_ids": ["0"], "max_results": 10_000_000}),
        ("registered-models/create", {"name": "../../etc"}),
    ],
    ids=["long run id", "long name", "wrong type", "too many results", "path as name"],
)
def test_oversized_and_broken_requests_are_refused_and_the_server_lives(toolbox, path, body):
    assert post(toolbox, f"/api/2.0/mlflow/{path}", body)[0] >= 400
    assert answers(toolbox)


def test_no_job_can_be_started_over_the_api(toolbox):
    status, answer = post(toolbox, "/ajax-api/3.0/jobs/", {"job_name": "optimize_prompts", "params": {}})
    assert status >= 400
    assert "not enabled" in answer["detail"]


# --- Publishing ---


def test_an_address_beyond_this_machine_is_refused(toolbox):
    before = toolbox.env.read_bytes()
    toolbox.set(BIND_ADDRESS="0.0.0.0")
    try:
        result = toolbox.invoke("up")
    finally:
        toolbox.env.write_bytes(before)
    assert result.returncode != 0
    assert result.stderr.splitlines()[-1].startswith("FAIL: BIND_ADDRESS=0.0.0.0 would let in")
    assert answers(toolbox)
