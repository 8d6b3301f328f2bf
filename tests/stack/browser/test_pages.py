"""What people see: JupyterLab and MLflow in a real browser, from the login to the version of a model."""

import json
import struct

import pytest

from tests.support import browsing, first_example, notebooks
from tests.support.copies import JUPYTER_TOKEN, TOKEN_HEADER

pytestmark = pytest.mark.stack

# MLflow's pages ask who is logged in, and a server where nobody logs in does not know this.
NO_USERS = "404 for GET /ajax-api/2.0/mlflow/users/current"
TRACE = """\
import mlflow

with mlflow.start_span("ask") as span:
    span.set_outputs("the answer is 42")
mlflow.get_trace(span.trace_id, flush=True)
"""
# Where there are no traces, the page wants to show a film, and may not fetch it.
NO_FILM = "console: Loading media from  'https://mlflow.org/"


@pytest.fixture(scope="module")
def visit(toolbox, tmp_path_factory):
    """A function that runs a program of tests/inside/browser on the pages and returns what it saw."""
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
    assert "This token or password is wrong." in seen["text"]
    assert (seen["inside"], seen["opens"], seen["complaints"]) == (False, False, ["401 for POST /login"])


def test_an_address_with_a_wrong_token_leads_to_the_form(visit):
    seen = visit("log_in.py", token="wrong", by="address")
    assert "Password or token" in seen["text"]
    assert (seen["inside"], seen["opens"], seen["complaints"]) == (False, False, [])


def test_the_form_says_where_the_token_is_and_offers_no_password(visit):
    text = visit("log_in.py", token="wrong", by="address")["text"]
    assert "./run up" in text
    assert "JUPYTER_TOKEN" in text
    assert "New Password" not in text


# --- The launcher ---


@pytest.fixture(scope="module")
def used(toolbox, visit):
    """What the visit saw that used the launcher, in a container of little memory."""
    container = toolbox.container("notebook")
    before = toolbox.inspect("notebook")["HostConfig"]
    # With swap as much as memory is: none.
    little = ("--memory=700m", "--memory-swap=700m")
    assert toolbox.run("docker", "update", *little, container).returncode == 0
    try:
        yield visit("use_launcher.py", token=JUPYTER_TOKEN, bytes=3 << 30)
    finally:
        for kernel in json.loads(toolbox.get("notebook", "/api/kernels", **TOKEN_HEADER)[1]):
            toolbox.request("DELETE", "notebook", f"/api/kernels/{kernel['id']}", **TOKEN_HEADER)
        toolbox.request("DELETE", "notebook", "/api/contents/examples/Untitled.ipynb", **TOKEN_HEADER)
        limits = (f"--memory={before['Memory']}", f"--memory-swap={before['MemorySwap']}")
        toolbox.run("docker", "update", *limits, container)
        # Counted since the container started, and others look at it after this.
        toolbox.compose("restart", "notebook")
        toolbox.compose("up", "--detach", "--wait", "--no-build")


def test_a_tile_opens_mlflow_at_its_own_address(toolbox, used):
    assert used["mlflow"].startswith(toolbox.url("mlflow", "/"))
    assert "Experiments" in used["pages"]


def test_a_tile_shows_the_examples(used):
    assert [name for name in notebooks.NAMES if name not in used["files"]] == []


def test_the_memory_is_shown_with_the_limit_of_the_container(used):
    assert used["memory"].endswith(" / 4096.00 MB")


def test_a_kernel_that_was_ended_for_memory_is_told_with_what_helps(toolbox, used):
    assert "may take 0.7 GiB" in used["notice"]
    assert "NOTEBOOK_MEMORY" in used["notice"]
    # `status` and `doctor` count it too.
    assert "notebook: 1 " in toolbox.succeed("status")
    assert "NOTEBOOK_MEMORY" in toolbox.invoke("doctor").stdout
    assert set(used["complaints"]) <= {NO_USERS}


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
    cells = [title, notebooks.code("trace", TRACE)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    notebook = json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})
    toolbox.compose("exec", "--no-TTY", "notebook", "sh", "-c", "cat > trace.ipynb", stdin=notebook)
    seen = visit(
        "run_notebook.py", token=JUPYTER_TOKEN, path="trace.ipynb", heading="A trace", framed="the answer is 42"
    )
    assert set(seen["complaints"]) <= {NO_USERS}


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


@pytest.fixture(scope="module")
def first(visit, told):
    """What a person saw who opened MLflow's pages for the first time."""
    return visit("visit_first.py", experiment=told["experiment"])


def test_mlflow_opens_one_click_from_the_runs_with_nothing_over_its_pages(first):
    assert "/runs?" in first["runs"]
    assert first["dialogs"] == [0, 0, 0]
    # Neither the assistant nor the announcement of telemetry.
    assert [word for word in ("Ask a question", "telemetry", "Tracing") if word in first["first"]] == []
    assert not first["telemetry"]


def test_the_pages_that_a_person_chose_in_mlflow_stay(first):
    assert "Prompts" in first["menu"]
    assert "Prompts" not in first["first"]


def test_a_server_with_telemetry_announces_it(toolbox):
    program = (
        "import sys; sys.path[:0] = ['/opt/mlflow']; import app; app.create_app(); from mlflow.server import app; "
    )
    program += "print(app.test_client().get('/static-files/first-choices.js').text)"
    command = ["exec", "--no-TTY", "--env", "MLFLOW_DISABLE_TELEMETRY=false", "mlflow", "python", "-c", program]
    choices = toolbox.compose(*command)
    assert "machine_learning" in choices
    assert "telemetry" not in choices


# What an HTML file that somebody logged would do to whoever is logged in to JupyterLab.
HOSTILE = """<p></p><script>
fetch(NOTEBOOK + "/api/contents", {credentials: "include"}).then(answer => answer.text())
  .then(text => { document.title = "read " + text; }).catch(error => { document.title = "refused " + error; })
  .finally(() => { document.querySelector("p").textContent = "done"; });
</script>"""


def test_an_artifact_reads_nothing_of_jupyterlab_even_in_a_tab_of_its_own(toolbox, visit):
    program = HOSTILE.replace("NOTEBOOK", json.dumps(toolbox.url("notebook", "")))
    code = (
        "import mlflow, sys\n"
        "with mlflow.start_run() as run:\n"
        "    mlflow.log_text(sys.argv[1], 'report.html')\n"
        "print(run.info.experiment_id, run.info.run_id)\n"
    )
    printed = toolbox.compose("exec", "--no-TTY", "notebook", "python", "-c", code, program)
    experiment_id, run_id = printed.splitlines()[-1].split()
    seen = visit(
        "open_artifact.py", token=JUPYTER_TOKEN, experiment_id=experiment_id, run_id=run_id, artifact="report.html"
    )
    assert seen["frame"][0] == "null"
    assert seen["tab"][0] == toolbox.url("mlflow", "")
    assert [title.split()[0] for _, title in (seen["frame"], seen["tab"])] == ["refused", "refused"]


def test_no_page_complains_or_asks_outside(ran, found, first):
    assert ran["complaints"] == []
    assert set(found["complaints"]) <= {NO_USERS}
    assert [said for said in first["complaints"] if said != NO_USERS and not said.startswith(NO_FILM)] == []


def test_what_a_page_complains_of_and_asks_outside_would_be_seen(visit):
    seen = visit("misbehave.py", outside="http://outside.example/something")
    for complaint in ("asked outside: http://outside.example", "something is wrong", "something failed"):
        assert any(complaint in noticed for noticed in seen["complaints"]), seen
    assert any(noticed.endswith(" for GET /something") for noticed in seen["complaints"]), seen


def test_a_page_that_cannot_reach_its_server_shows_no_run(visit, told):
    with pytest.raises(AssertionError, match=r"find_run\.py: the experiments: .* waiting for"):
        visit("find_run.py", **told, blocked=["**/ajax-api/**"], patience=5)
