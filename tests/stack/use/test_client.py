"""What the MLflow client of the notebook does differently: names of artifacts, formats of models, red lines."""

import json
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.stack

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"


def run_unit(toolbox, name, **settings):
    """Run a program of tests/inside in the notebook and return the JSON of its last line."""
    options = [word for setting, value in settings.items() for word in ("--env", f"{setting}={value}")]
    unit = (toolbox.root / "tests" / "inside" / name).read_text()
    ran = toolbox.run("docker", "compose", "exec", "--no-TTY", *options, "notebook", "python", "-c", unit)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def test_artifacts_of_every_name_are_kept_or_refused(toolbox):
    assert run_unit(toolbox, "artifact_names.py", MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false") == {}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_name_that_a_client_has_cut_at_a_question_mark_is_refused(toolbox, method):
    status, answer = toolbox.request(method, "mlflow", f"{ARTIFACTS}what?.txt", b"")
    assert status == 400
    assert b"what?.txt" in answer


@pytest.mark.parametrize("path", ["1/../../x", "%2e%2e/x", "1/..%2f..%2fx"])
def test_no_artifact_is_outside_the_artifact_store(toolbox, path):
    name = quote(path, safe="/%") if "%" not in path else path
    assert toolbox.request("PUT", "mlflow", f"{ARTIFACTS}{name}", b"x")[0] in (400, 404)


def test_models_of_every_kind_load_in_another_process(toolbox):
    said = run_unit(toolbox, "models.py")
    assert said["wrong"] == {}
    assert set(said["states"]) == {"READY"}
    assert "own_file" in said["missing"]
    assert "code_paths" in said["missing"]


def test_safe_model_formats_bring_back_skops(toolbox):
    program = (
        "import mlflow; from sklearn.linear_model import Ridge; "
        "mlflow.sklearn.save_model(Ridge().fit([[1], [2]], [1, 2]), '/tmp/safe', pip_requirements=[])"
    )
    ran = toolbox.run(
        "docker", "compose", "exec", "-T", "--env", "SAFE_MODEL_FORMATS=true", "notebook", "python", "-c", program
    )
    assert ran.returncode == 0, ran.stderr
    assert "model.skops" in toolbox.host("notebook").check_output("ls /tmp/safe; rm -r /tmp/safe")


def test_the_happy_path_prints_no_red_line_and_does_not_stall_with_the_debugger(toolbox):
    printed = run_unit(toolbox, "red_lines.py")
    assert printed["stderr"] == ""
    assert printed["stdout"].endswith("done\n")
