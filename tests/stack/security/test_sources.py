"""No URL given to MLflow makes it send requests to other containers, or read files other than the run's artifacts."""

import contextlib
import secrets
import subprocess
import time

import pytest

from tests.support.copies import PASSWORDS, ROOT

pytestmark = pytest.mark.stack

API = "/api/2.0/mlflow/"
TIMEOUT_SECONDS = 60
# Parts of files that an attacker would want: users, environment, and the password of the database.
SENSITIVE = (b"root:", b"PGSERVICEFILE", PASSWORDS["mlflow"].encode())


def create(toolbox, what, body):
    """Create something in MLflow; return the response."""
    status, answer = toolbox.post(f"{API}{what}/create", body)
    assert status == 200, answer
    return answer


def new_name():
    return f"attack-{secrets.token_hex(4)}"


def new_run(toolbox, location=None):
    """Create a run in a new experiment; return its ID, its artifact URI, and the ID of the experiment."""
    body = {"name": new_name()} | ({"artifact_location": location} if location else {})
    experiment = create(toolbox, "experiments", body)["experiment_id"]
    info = create(toolbox, "runs", {"experiment_id": experiment})["run"]["info"]
    return info["run_id"], info["artifact_uri"], experiment


# --- Requests to other containers ---


@contextlib.contextmanager
def neighbour(toolbox):
    """Listen in the notebook container during the block; give a dictionary with the port, and later the connections."""
    program = (ROOT / "tests" / "inside" / "listen.py").read_text()
    command = ["docker", "compose", "exec", "--no-TTY", "notebook", "python", "-c", program]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=toolbox.root, text=True, **pipes) as listener:
        seen = {"port": int(listener.stdout.readline())}
        yield seen
        seen["connections"] = int(listener.communicate()[0])


def webhook(toolbox, url, status="ACTIVE"):
    """Create a webhook for new prompts; return (status, response)."""
    events = [{"entity": "PROMPT", "action": "CREATED"}]
    return toolbox.post(f"{API}webhooks", {"name": new_name(), "url": url, "events": events, "status": status})


def test_a_connection_of_the_server_to_a_neighbour_is_detected(toolbox):
    with neighbour(toolbox) as seen:
        program = f"import socket; socket.create_connection(('notebook', {seen['port']})).close()"
        toolbox.compose("exec", "--no-TTY", "mlflow", "python", "-c", program)
    assert seen["connections"] == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://notebook:{port}/",
        "https://notebook:{port}/",
        "https://notebook.:{port}/",
        "https://user@notebook:{port}/",
        "https://{address}:{port}/",
        "https://[::ffff:{address}]:{port}/",
        "https://postgres:5432/",
        "https://mlflow:5000/",
        "https://localhost:5000/",
        "https://127.0.0.1:5000/",
        "https://2130706433:5000/",
        "https://0x7f.1:5000/",
        "https://0:5000/",
        "https://[::1]:5000/",
        "https://169.254.169.254/latest/meta-data/",
        "https://{gateway}/",
        "ftp://notebook:{port}/",
        "file:///etc/passwd",
    ],
)
def test_a_webhook_to_a_private_address_is_refused(toolbox, url):
    [network] = toolbox.inspect("notebook")["NetworkSettings"]["Networks"].values()
    with neighbour(toolbox) as seen:
        values = {"port": seen["port"], "address": network["IPAddress"], "gateway": network["Gateway"]}
        assert webhook(toolbox, url.format(**values))[0] == 400
    assert seen["connections"] == 0


def test_a_webhook_whose_address_became_private_sends_nothing(toolbox):
    # Public at its creation, as an attacker's host name can be. Disabled, so that nothing is sent there.
    status, answer = webhook(toolbox, "https://1.1.1.1/", "DISABLED")
    assert status == 200
    webhook_id = answer["webhook"]["webhook_id"]
    try:
        with neighbour(toolbox) as seen:
            url = f"https://notebook:{seen['port']}/"
            change = f"UPDATE webhooks SET url = '{url}', status = 'ACTIVE' WHERE webhook_id = '{webhook_id}'"
            toolbox.sql("mlflow", "mlflow", change)
            _, answer = toolbox.post(f"{API}webhooks/{webhook_id}/test", {})
            assert answer["result"]["success"] is False
            assert "must not resolve to a non-public IP address" in answer["result"]["error_message"]
            prompt = {"name": new_name(), "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]}
            create(toolbox, "registered-models", prompt)
            end = time.monotonic() + TIMEOUT_SECONDS
            while f"Failed to send webhook to {url}" not in toolbox.compose("logs", "--tail", "200", "mlflow"):
                assert time.monotonic() < end, "timed out waiting until MLflow logs the failed webhook"
        assert seen["connections"] == 0
    finally:
        toolbox.request("DELETE", "mlflow", f"{API}webhooks/{webhook_id}")


@pytest.mark.parametrize(
    "location",
    [
        "http://notebook:{port}/api/2.0/mlflow-artifacts/artifacts/x",
        "https://notebook:{port}/api/2.0/mlflow-artifacts/artifacts/x",
        "mlflow-artifacts://notebook:{port}/x",
        "ftp://notebook:{port}/x",
        "sftp://notebook:{port}/x",
        "hdfs://notebook:{port}/x",
    ],
)
def test_an_artifact_location_at_a_neighbour_is_refused(toolbox, location):
    model = new_name()
    create(toolbox, "registered-models", {"name": model})
    run, _, _ = new_run(toolbox)
    with neighbour(toolbox) as seen:
        address = location.format(port=seen["port"])
        experiment = {"name": new_name(), "artifact_location": address}
        version = {"name": model, "source": address, "run_id": run}
        assert toolbox.post(f"{API}experiments/create", experiment)[0] == 400
        assert toolbox.post(f"{API}model-versions/create", version)[0] == 400
    assert seen["connections"] == 0


@pytest.mark.parametrize("provider", ["openai", "ollama", "azure", "databricks"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_neighbour_as_a_model_provider_is_refused(toolbox, provider, scheme):
    with neighbour(toolbox) as seen:
        body = {
            "secret_name": new_name(),
            "secret_value": {"api_key": "key"},
            "provider": provider,
            "auth_config": {"api_base": f"{scheme}://notebook:{seen['port']}/v1"},
        }
        assert toolbox.post("/api/3.0/mlflow/gateway/secrets/create", body)[0] == 400
    assert seen["connections"] == 0


# --- Reading files ---


def read(toolbox, route):
    """Request a file or a list of files; return the status. Fails if the response has sensitive text or a file."""
    status, body = toolbox.get("mlflow", route)
    assert not [text for text in SENSITIVE if text in body], route
    assert b'"files"' not in body, route
    return status


def upload(toolbox, experiment):
    """Upload a file to a new run of an experiment, as MLflow's own page does; return (status, ID of the run)."""
    run = create(toolbox, "runs", {"experiment_id": experiment})["run"]["info"]["run_id"]
    return toolbox.post(f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=planted.txt", "x")[0], run


ELSEWHERE = [
    "file:///proc/self",
    "file:///proc/1",
    "file:///proc/self/root/proc/self",
    "file:///proc/self?query",
    "file:///proc/self;parameter",
    "file:///etc",
    "file://localhost/etc",
    "/etc",
    "mlflow-artifacts:/../../proc/self",
    "mlflow-artifacts:/..%2f..%2fetc",
]
# Outside the folder of a run, or of all artifacts.
PATHS_OUT = [
    "../../environ",
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "..%252f..%252fetc%252fpasswd",
    "/etc/passwd",
    "%2fproc%2fself%2fenviron",
    "file:///proc/self/environ",
    "..\\..\\etc\\passwd",
    "x%00/../../../../etc/passwd",
]


def test_an_uploaded_file_can_be_read_and_listed(toolbox):
    status, run = upload(toolbox, "0")
    assert status == 200
    assert toolbox.get("mlflow", f"/get-artifact?run_id={run}&path=planted.txt") == (200, b'"x"')
    assert b'"files"' in toolbox.get("mlflow", f"{API}artifacts/list?run_id={run}")[1]


@pytest.mark.parametrize("location", ELSEWHERE)
def test_nothing_can_be_read_through_an_experiment_outside_the_artifact_store(toolbox, location):
    run, _, experiment = new_run(toolbox, location)
    _, answer = toolbox.post(f"{API}logged-models", {"experiment_id": experiment, "name": "model"})
    model = answer["model"]["info"]["model_id"]
    for path in ("environ", "passwd", ".", *PATHS_OUT):
        assert read(toolbox, f"/get-artifact?run_id={run}&path={path}") >= 400
        assert (
            read(toolbox, f"/ajax-api/2.0/mlflow/logged-models/{model}/artifacts/files?artifact_file_path={path}")
            >= 400
        )
        # A missing folder has an empty list.
        read(toolbox, f"{API}artifacts/list?run_id={run}&path={path}")
        read(toolbox, f"{API}logged-models/{model}/artifacts/directories?artifact_directory_path={path}")
    read(toolbox, f"{API}artifacts/list?run_id={run}")
    read(toolbox, f"{API}logged-models/{model}/artifacts/directories")
    for direction in ("upload", "download"):
        body = {"run_id": run, "path": "environ"}
        assert toolbox.post(f"{API}artifacts/presigned-{direction}-url", body)[0] >= 400


@pytest.mark.parametrize("path", PATHS_OUT)
def test_a_path_outside_the_artifacts_is_refused(toolbox, path):
    run, _, _ = new_run(toolbox)
    artifacts = "/api/2.0/mlflow-artifacts"
    assert read(toolbox, f"/get-artifact?run_uuid={run}&path={path}") >= 400
    assert read(toolbox, f"{artifacts}/artifacts/{path}") >= 400
    assert read(toolbox, f"{artifacts}/presigned/{path}") >= 400
    # A missing folder, such as one named with backslashes, has an empty list.
    read(toolbox, f"{API}artifacts/list?run_id={run}&path={path}")
    read(toolbox, f"{artifacts}/artifacts?path={path}")


@pytest.mark.parametrize("path", ["../../tmp/planted.txt", "..%2f..%2ftmp%2fplanted.txt", "%2ftmp%2fplanted.txt"])
def test_nothing_can_be_written_or_deleted_outside_the_artifacts(toolbox, path):
    mlflow = toolbox.host("mlflow")
    mlflow.check_output("touch /tmp/kept && rm -f /tmp/planted.txt")
    artifacts = "/api/2.0/mlflow-artifacts"
    parts = {
        "path": "../../tmp/planted.txt",
        "upload_id": "x",
        "num_parts": 1,
        "parts": [{"part_number": 1, "etag": "x"}],
    }
    assert toolbox.post(f"{artifacts}/artifacts/{path}", "x", "PUT")[0] == 400
    for step in ("create", "complete", "abort"):
        assert toolbox.post(f"{artifacts}/mpu/{step}/{path}", parts)[0] != 200
        assert toolbox.post(f"{artifacts}/mpu/{step}/x", parts)[0] != 200
    assert not mlflow.file("/tmp/planted.txt").exists
    toolbox.request("DELETE", "mlflow", f"{artifacts}/artifacts/{path.replace('planted.txt', 'kept')}")
    assert mlflow.file("/tmp/kept").exists


def test_a_path_in_one_run_cannot_reach_the_artifacts_of_another(toolbox):
    status, other = upload(toolbox, "0")
    assert status == 200
    run = create(toolbox, "runs", {"experiment_id": "0"})["run"]["info"]["run_id"]
    for path in (f"../../{other}/artifacts/planted.txt", f"..%2f..%2f{other}%2fartifacts%2fplanted.txt"):
        assert read(toolbox, f"/get-artifact?run_id={run}&path={path}") == 400


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc",
        "file:/etc",
        "FILE:///etc",
        "file://localhost/etc",
        "file:///proc/self",
        "file:///mlflow/artifacts",
        "/etc",
        "etc",
        "../../etc",
        "file:///etc?{local}",
        "file:///etc#{local}",
        "{local}/../../../../etc",
        "{local}/%2e%2e/%2e%2e/%2e%2e/etc",
        "mlflow-artifacts:/",
        "mlflow-artifacts:/../../etc",
        "mlflow-artifacts:/..%2f..%2fetc",
        "{own}/../../{other_id}/artifacts",
        "{own}/%2e%2e/%2e%2e/{other_id}/artifacts",
        "{other}",
        "runs:/{other_id}/model",
        "runs:/{own_id}/../../../etc",
        "http://127.0.0.1:5000/api/2.0/mlflow-artifacts/artifacts/x",
    ],
)
def test_a_model_version_with_a_foreign_source_is_refused(toolbox, source):
    own_id, own, _ = new_run(toolbox)
    other_id, other, _ = new_run(toolbox)
    local_id, local, _ = new_run(toolbox, "file:///tmp/models")
    values = {"own": own, "own_id": own_id, "other": other, "other_id": other_id, "local": local}
    model = new_name()
    create(toolbox, "registered-models", {"name": model})
    for run in (None, own_id, local_id):
        version = {"name": model, "source": source.format(**values)} | ({"run_id": run} if run else {})
        assert toolbox.post(f"{API}model-versions/create", version)[0] == 400
    assert read(toolbox, f"/model-versions/get-artifact?name={model}&version=1&path=passwd") == 404


@pytest.mark.parametrize("location", [*ELSEWHERE, "http://notebook:8888/", "ftp://notebook/x"])
def test_nothing_can_be_read_through_the_artifact_location_of_a_trace(toolbox, location):
    trace = f"tr-{secrets.token_hex(16)}"
    info = {
        "trace_id": trace,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}},
        "request_time": "2026-01-01T00:00:00Z",
        "state": "OK",
    }
    assert toolbox.post("/api/3.0/mlflow/traces", {"trace": {"trace_info": info}})[0] == 200
    tags = f"{API}traces/{trace}/tags"
    assert toolbox.post(tags, {"key": "mlflow.artifactLocation", "value": location}, "PATCH")[0] == 200
    archive = {"key": "mlflow.trace.archiveLocation", "value": location}
    assert toolbox.post(tags, archive, "PATCH")[0] == 400
    route = f"/ajax-api/2.0/mlflow/get-trace-artifact?request_id={trace}"
    for path in ("", "&path=environ", "&path=../environ", "&path=..%2f..%2fenviron"):
        assert read(toolbox, route + path) >= 400


# --- Writing files ---


def planted(toolbox):
    """Return the paths of the uploaded files in the mlflow container."""
    find = "find / -name planted.txt -not -path '/proc/*' 2>/dev/null || true"
    return toolbox.host("mlflow").check_output(find).splitlines()


def test_an_uploaded_file_is_stored_in_the_artifact_volume(toolbox):
    status, run = upload(toolbox, "0")
    assert status == 200
    assert [path for path in planted(toolbox) if run in path] == [f"/mlflow/artifacts/0/{run}/artifacts/planted.txt"]


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc",
        "/etc",
        "file:///mlflow/artifacts/../../etc",
        "file://localhost/etc",
        "file:///mlflow",
        "file:///opt",
    ],
)
def test_an_upload_cannot_create_files_outside_the_artifact_store(toolbox, location):
    status, answer = toolbox.post(f"{API}experiments/create", {"name": new_name(), "artifact_location": location})
    assert status != 200 or upload(toolbox, answer["experiment_id"])[0] >= 400
    assert all(path.startswith("/mlflow/artifacts/") for path in planted(toolbox))
