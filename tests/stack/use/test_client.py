"""The notebook's MLflow client keeps names of artifacts, saves every model, and prints no needless warnings."""

import json
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.stack

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"


def run_program(toolbox, name, **settings):
    """Run a program of tests/inside in the notebook; return the JSON in its last line."""
    options = [option for setting, value in settings.items() for option in ("--env", f"{setting}={value}")]
    program = (toolbox.root / "tests" / "inside" / name).read_text()
    result = toolbox.run("docker", "compose", "exec", "--no-TTY", *options, "notebook", "python", "-c", program)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_artifacts_keep_their_names_or_are_rejected(toolbox):
    assert run_program(toolbox, "artifact_names.py", MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false") == {}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_artifact_name_that_a_client_cut_at_a_question_mark_is_rejected(toolbox, method):
    status, answer = toolbox.request(method, "mlflow", f"{ARTIFACTS}what?.txt", b"")
    assert status == 400
    assert b"what?.txt" in answer


@pytest.mark.parametrize("path", ["1/../../x", "%2e%2e/x", "1/..%2f..%2fx"])
def test_an_artifact_cannot_be_stored_outside_the_artifact_store(toolbox, path):
    name = quote(path, safe="/%") if "%" not in path else path
    assert toolbox.request("PUT", "mlflow", f"{ARTIFACTS}{name}", b"x")[0] in (400, 404)


def test_models_of_every_kind_load_in_another_process(toolbox):
    results = run_program(toolbox, "models.py")
    assert results["wrong"] == {}
    assert set(results["states"]) == {"READY"}
    assert "own_file" in results["missing"]
    assert "code_paths" in results["missing"]


def test_safe_model_formats_switches_back_to_skops(toolbox):
    program = (
        "import mlflow; from sklearn.linear_model import Ridge; "
        "mlflow.sklearn.save_model(Ridge().fit([[1], [2]], [1, 2]), '/tmp/safe', pip_requirements=[])"
    )
    result = toolbox.run(
        "docker", "compose", "exec", "-T", "--env", "SAFE_MODEL_FORMATS=true", "notebook", "python", "-c", program
    )
    assert result.returncode == 0, result.stderr
    assert "model.skops" in toolbox.host("notebook").check_output("ls /tmp/safe; rm -r /tmp/safe")


def test_logging_a_model_prints_nothing_to_stderr_and_does_not_stall_with_the_debugger(toolbox):
    printed = run_program(toolbox, "log_with_debugger.py")
    assert printed["stderr"] == ""
    assert printed["stdout"].endswith("done\n")
