"""What people see: JupyterLab and MLflow in a real browser, from the login to the version of a model."""

import json
import struct

import browsing
import first_example
import notebooks
import pytest
from copies import JUPYTER_TOKEN, TOKEN_HEADER

pytestmark = pytest.mark.stack

# MLflow's pages ask who is logged in, and a server where nobody logs in does not know this.
NO_USERS = "404 for GET /ajax-api/2.0/mlflow/users/current"
TRACE = """\
import mlflow

with mlflow.start_span("ask") as span:
    span.set_outputs("the answer is 42")
"""


@pytest.fixture(scope="module")
def visit(toolbox, tmp_path_factory):
    """A function that runs a program of tests/browser on the pages and returns what it saw."""
    browsing.build(toolbox)
    yield lambda program, **told: browsing.visit(toolbox, tmp_path_factory.mktemp("pictures"), program, **told)
    browsing.remove(toolbox)


# --- The way into JupyterLab ---


@pytest.mark.parametrize("by", ["form", "address"])
def test_the_token_lets_in(visit, by):
    seen = visit("log_in.py", token=JUPYTER_TOKEN, by=by)
    assert (seen["inside"], seen["opens"], seen["complaints"]) == (True, True, [])


def test_the_form_refuses_a_wrong_token(visit):
    seen = visit("log_in.py", token="wrong", by="form")
    assert "Invalid credentials" in seen["text"]
    assert (seen["inside"], seen["opens"], seen["complaints"]) == (False, False, ["401 for POST /login"])


def test_an_address_with_a_wrong_token_leads_to_the_form(visit):
    seen = visit("log_in.py", token="wrong", by="address")
    assert "Password or token" in seen["text"]
    assert (seen["inside"], seen["opens"], seen["complaints"]) == (False, False, [])


# --- A notebook ---


def test_the_examples_are_not_marked_as_modified_when_they_are_opened(visit):
    seen = visit("open_notebooks.py", token=JUPYTER_TOKEN, home="examples", names=notebooks.NAMES)
    assert (seen["modified"], seen["complaints"]) == ([], [])


@pytest.fixture(scope="module")
def ran(toolbox, visit):
    """What the visit saw that ran the notebook."""
    try:
        yield visit("run_notebook.py", token=JUPYTER_TOKEN, **first_example.NOTEBOOK)
    finally:
        # Its kernel outlives the page.
        for kernel in json.loads(toolbox.get("notebook", "/api/kernels", **TOKEN_HEADER)[1]):
            toolbox.request("DELETE", "notebook", f"/api/kernels/{kernel['id']}", **TOKEN_HEADER)


def test_a_notebook_runs_from_its_first_cell_to_its_last(ran):
    assert ran["errors"] == []
    assert ran["outputs"][-1]


def test_a_notebook_shows_its_pictures(ran):
    assert ran["pictures"]
    assert all(width and height for width, height in ran["pictures"])


def test_a_trace_is_shown_below_its_cell(toolbox, visit):
    title = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# A trace"}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    cells = [title, notebooks.code("trace", TRACE)]
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    toolbox.compose("exec", "--no-TTY", "notebook", "sh", "-c", "cat > trace.ipynb", stdin=json.dumps(notebook))
    seen = visit(
        "run_notebook.py", token=JUPYTER_TOKEN, path="trace.ipynb", heading="A trace", framed="the answer is 42"
    )
    assert [complaint for complaint in seen["complaints"] if complaint != NO_USERS] == []


# --- MLflow's pages ---


@pytest.fixture(scope="module")
def told(toolbox, ran):
    """What the program needs to know to find the run."""
    return first_example.champion(toolbox)


@pytest.fixture(scope="module")
def found(visit, told):
    """What the visit saw that looked for the run."""
    return visit("find_run.py", **told)


def test_the_page_of_a_run_shows_what_was_logged(toolbox, told, found):
    run = json.loads(toolbox.get("mlflow", f"/api/2.0/mlflow/runs/get?run_id={told['run_id']}")[1])["run"]
    names = [logged["key"] for kind in ("params", "metrics") for logged in run["data"][kind]]
    assert len(names) > 2
    assert [name for name in ["Finished", *names] if name not in found["overview"]] == []


def test_the_charts_of_an_experiment_compare_its_runs(found):
    assert found["lines"] > 1


def test_the_chart_of_a_run_has_the_line_of_its_metric(found):
    assert found["points"] > 2


def test_a_picture_is_shown_as_it_was_logged(toolbox, told, found):
    _, logged = toolbox.get("mlflow", f"/get-artifact?path={told['picture']}&run_uuid={told['run_id']}")
    # A PNG has its width and height behind its first sixteen bytes.
    assert tuple(found["picture"]) == struct.unpack(">II", logged[16:24])


def test_the_registry_shows_the_model_with_its_alias(told, found):
    alias = f"@\u00a0{first_example.ALIAS}"
    assert f"{alias}\n: Version {told['version']}" in found["registry"]
    assert alias in found["version"]


def test_no_page_complains_or_asks_outside(ran, found):
    assert ran["complaints"] == []
    assert set(found["complaints"]) <= {NO_USERS}


def test_what_a_page_complains_of_and_asks_outside_would_be_seen(visit):
    seen = visit("misbehave.py", outside="http://outside.example/something")
    for complaint in ("asked outside: http://outside.example", "something is wrong", "something failed"):
        assert any(complaint in noticed for noticed in seen["complaints"]), seen
    assert any(noticed.endswith(" for GET /something") for noticed in seen["complaints"]), seen


def test_a_page_that_cannot_reach_its_server_shows_no_run(visit, told):
    with pytest.raises(AssertionError, match=r"find_run\.py: the experiments: .* waiting for"):
        visit("find_run.py", **told, blocked=["**/ajax-api/**"], patience=5)
