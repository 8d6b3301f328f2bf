"""A run logged in the notebook is found in Postgres, shown by MLflow, and kept with new containers."""

import hashlib
import json

import pytest

from tests.support.copies import TOKEN_HEADER

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("toolbox")]

SAVED = "/api/contents/saved.ipynb"
NOTEBOOK = {"cells": [], "metadata": {"made by": "the tests"}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture(scope="module")
def logged(toolbox):
    """What a training run in the notebook container logged, after a notebook file was saved."""
    body = {"type": "notebook", "content": NOTEBOOK}
    status, _ = toolbox.request("PUT", "notebook", SAVED, body=body, **TOKEN_HEADER)
    assert status == 201
    return toolbox.in_notebook("train.py")


@pytest.fixture(scope="module", params=["as it was logged", "with new containers"], autouse=True)
def _stage(request, toolbox, logged):
    if request.param == "with new containers":
        toolbox.succeed("down")
        assert toolbox.compose("ps", "--all", "--quiet") == ""
        toolbox.succeed("up")


def run_in_rest(toolbox, logged):
    _, answer = toolbox.get("mlflow", f"/api/2.0/mlflow/runs/get?run_id={logged['run_id']}")
    return json.loads(answer)["run"]


def test_psycopg2_in_the_notebook_finds_the_run_with_every_step(toolbox, logged):
    found = toolbox.in_notebook("read_sql.py", logged["run_id"])
    assert found == {
        "role": "analyst",
        "status": "FINISHED",
        "params": logged["params"],
        "losses": [[step, loss] for step, loss in enumerate(logged["losses"])],
        "team": "données",
    }


def test_psql_in_the_postgres_container_finds_the_run_with_every_step(toolbox, logged):
    host = toolbox.host("postgres")

    def psql(sql):
        client = "psql -U analyst -d mlflow --csv --tuples-only"
        return host.check_output(f"{client} --command %s", sql.format(run=f"run_uuid = '{logged['run_id']}'"))

    losses = psql("SELECT value FROM metrics WHERE {run} AND key = 'loss' ORDER BY step")
    params = psql("SELECT key, value FROM params WHERE {run}")
    assert [float(loss) for loss in losses.split()] == logged["losses"]
    assert dict(line.split(",") for line in params.split()) == logged["params"]
    assert psql("SELECT status FROM runs WHERE {run}") == "FINISHED"


def test_the_rest_api_shows_the_run_to_this_machine(toolbox, logged):
    run = run_in_rest(toolbox, logged)
    _, answer = toolbox.get("mlflow", f"/api/2.0/mlflow/metrics/get-history?run_id={logged['run_id']}&metric_key=loss")
    assert run["info"]["status"] == "FINISHED"
    assert {param["key"]: param["value"] for param in run["data"]["params"]} == logged["params"]
    assert [point["value"] for point in json.loads(answer)["metrics"]] == logged["losses"]


def test_an_artifact_comes_back_byte_for_byte(toolbox, logged):
    status, blob = toolbox.get("mlflow", f"/get-artifact?path=blob.bin&run_uuid={logged['run_id']}")
    assert status == 200
    assert hashlib.sha256(blob).hexdigest() == logged["blob_sha256"]


def test_a_logged_figure_comes_back_as_a_png(toolbox, logged):
    _, figure = toolbox.get("mlflow", f"/get-artifact?path=loss.png&run_uuid={logged['run_id']}")
    assert figure.startswith(b"\x89PNG")


def test_the_artifact_is_in_the_artifact_store(toolbox, logged):
    uri = run_in_rest(toolbox, logged)["info"]["artifact_uri"]
    folder = uri.replace("mlflow-artifacts:", "/mlflow/artifacts")
    mounts = {mount["Destination"]: mount["Name"] for mount in toolbox.inspect("mlflow")["Mounts"]}
    assert mounts.pop("/secrets") == f"{toolbox.project}_mlflow-secrets"
    assert mounts == {"/mlflow/artifacts": f"{toolbox.project}_artifact-store"}
    assert toolbox.host("mlflow").file(f"{folder}/blob.bin").sha256sum == logged["blob_sha256"]


def test_the_registered_model_predicts_what_the_trained_one_did(toolbox, logged):
    predictions = toolbox.in_notebook("predict.py", stdin=json.dumps(logged["test_x"]))
    assert predictions == logged["predictions"]


def test_a_saved_notebook_file_is_kept(toolbox):
    status, answer = toolbox.get("notebook", SAVED, **TOKEN_HEADER)
    assert status == 200
    assert json.loads(answer)["content"]["metadata"]["made by"] == "the tests"
