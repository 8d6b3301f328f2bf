"""JupyterLab and MLflow work in a real browser, from the login to the version of a model."""

import json
import struct

import pytest

from tests.support import browsing, first_example, notebooks
from tests.support.copies import JUPYTER_TOKEN, TOKEN_HEADER

pytestmark = pytest.mark.stack

# MLflow's pages request the current user, which a server without authentication does not have.
NO_USERS = "404 for GET /ajax-api/2.0/mlflow/users/current"
TRACE = """\
import mlflow

with mlflow.start_span("ask") as span:
    span.set_outputs("the answer is 42")
mlflow.get_trace(span.trace_id, flush=True)
"""
# Without traces, the page tries to load a video, which the content security policy blocks.
NO_VIDEO = "console: Loading media from  'https://mlflow.org/"


@pytest.fixture(scope="module")
def visit(toolbox, tmp_path_factory):
    """A function that runs a program of tests/inside/browser on the pages and returns its results."""
    browsing.build(toolbox)
    yield lambda program, **options: browsing.visit(toolbox, tmp_path_factory.mktemp("pictures"), program, **options)
    browsing.remove(toolbox)


# --- Login to JupyterLab ---


@pytest.mark.parametrize("by", ["form", "address"])
def test_the_token_logs_in(visit, by):
    seen = visit("log_in.py", token=JUPYTER_TOKEN, by=by)
    assert (seen["inside"], seen["opens"], seen["complaints"]) == (True, True, [])


def test_the_login_form_rejects_a_wrong_token(visit):
    seen = visit("log_in.py", token="wrong", by="form")
    assert "This token or password is wrong." in seen["text"]
    assert (seen["inside"], seen["opens"], seen["complaints"]) == (False, False, ["401 for POST /login"])


def test_an_address_with_a_wrong_token_leads_to_the_login_form(visit):
    seen = visit("log_in.py", token="wrong", by="address")
    assert "Password or token" in seen["text"]
    assert (seen["inside"], seen["opens"], seen["complaints"]) == (False, False, [])


def test_the_login_form_says_where_the_token_is_and_offers_no_password(visit):
    text = visit("log_in.py", token="wrong", by="address")["text"]
    assert "./run up" in text
    assert "JUPYTER_TOKEN" in text
    assert "New Password" not in text


# --- The launcher ---


@pytest.fixture(scope="module")
def launcher(toolbox, visit):
    """The results of using the launcher, in a container with little memory."""
    container = toolbox.container("notebook")
    before = toolbox.inspect("notebook")["HostConfig"]
    # This limit for memory and swap together allows no swap.
    small = ("--memory=700m", "--memory-swap=700m")
    assert toolbox.run("docker", "update", *small, container).returncode == 0
    try:
        yield visit("use_launcher.py", token=JUPYTER_TOKEN, bytes=3 << 30)
    finally:
        for kernel in json.loads(toolbox.get("notebook", "/api/kernels", **TOKEN_HEADER)[1]):
            toolbox.request("DELETE", "notebook", f"/api/kernels/{kernel['id']}", **TOKEN_HEADER)
        toolbox.request("DELETE", "notebook", "/api/contents/examples/Untitled.ipynb", **TOKEN_HEADER)
        limits = (f"--memory={before['Memory']}", f"--memory-swap={before['MemorySwap']}")
        toolbox.run("docker", "update", *limits, container)
        # Resets the count of killed processes, which other tests check.
        toolbox.compose("restart", "notebook")
        toolbox.compose("up", "--detach", "--wait", "--no-build")


def test_a_tile_of_the_launcher_opens_mlflow_at_its_own_address(toolbox, launcher):
    assert launcher["mlflow"].startswith(toolbox.url("mlflow", "/"))
    assert "Experiments" in launcher["pages"]


def test_a_tile_of_the_launcher_shows_the_examples(launcher):
    assert [name for name in notebooks.NAMES if name not in launcher["files"]] == []


def test_jupyterlab_shows_the_memory_with_the_limit_of_the_container(launcher):
    assert launcher["memory"].endswith(" / 4096.00 MB")


def test_a_kernel_that_was_killed_out_of_memory_is_reported_with_a_remedy(toolbox, launcher):
    assert "may use only 0.7 GiB" in launcher["notice"]
    assert "NOTEBOOK_MEMORY" in launcher["notice"]
    # `status` and `doctor` count it too.
    assert "notebook: 1 " in toolbox.succeed("status")
    assert "NOTEBOOK_MEMORY" in toolbox.invoke("doctor").stdout
    assert set(launcher["complaints"]) <= {NO_USERS}


# --- A notebook ---


def test_opening_the_examples_does_not_mark_them_as_modified(visit):
    seen = visit("open_notebooks.py", token=JUPYTER_TOKEN, home="examples", names=notebooks.NAMES)
    assert (seen["modified"], seen["complaints"]) == ([], [])


@pytest.fixture(scope="module")
def ran(toolbox, visit):
    """The results of running the first example."""
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
def champion(toolbox, ran):
    """The names and IDs by which the best run of the first example is found."""
    return first_example.champion(toolbox)


@pytest.fixture(scope="module")
def found(visit, champion):
    """The results of looking for the run."""
    return visit("find_run.py", **champion)


def test_the_page_of_a_run_shows_what_was_logged(toolbox, champion, found):
    run = json.loads(toolbox.get("mlflow", f"/api/2.0/mlflow/runs/get?run_id={champion['run_id']}")[1])["run"]
    names = [logged["key"] for kind in ("params", "metrics") for logged in run["data"][kind]]
    assert len(names) > 2
    assert [name for name in ["Finished", *names] if name not in found["overview"]] == []


def test_the_charts_of_an_experiment_compare_its_runs(found):
    assert found["lines"] > 1


def test_the_chart_of_a_run_has_the_line_of_its_metric(found):
    assert found["points"] > 2


def test_a_picture_is_shown_in_its_original_size(toolbox, champion, found):
    _, logged = toolbox.get("mlflow", f"/get-artifact?path={champion['picture']}&run_uuid={champion['run_id']}")
    # A PNG has its width and height after its first 16 bytes.
    assert tuple(found["picture"]) == struct.unpack(">II", logged[16:24])


def test_the_registry_shows_the_model_with_its_alias(champion, found):
    alias = f"@\u00a0{first_example.ALIAS}"
    assert f"{alias}\n: Version {champion['version']}" in found["registry"]
    assert alias in found["version"]


@pytest.fixture(scope="module")
def first(visit, champion):
    """The results of opening MLflow's pages for the first time."""
    return visit("visit_first.py", experiment=champion["experiment"])


def test_mlflow_opens_one_click_from_the_runs_without_dialogs(first):
    assert "/runs?" in first["runs"]
    assert first["dialogs"] == [0, 0, 0]
    # Neither the assistant nor the announcement of telemetry.
    assert [word for word in ("Ask a question", "telemetry", "Tracing") if word in first["first"]] == []
    assert not first["telemetry"]


def test_the_pages_that_were_chosen_in_mlflow_stay_after_a_reload(first):
    assert "Prompts" in first["menu"]
    assert "Prompts" not in first["first"]


def test_a_server_with_telemetry_shows_its_announcement(toolbox):
    program = (
        "import sys; sys.path[:0] = ['/opt/mlflow']; import app; app.create_app(); from mlflow.server import app; "
    )
    program += "print(app.test_client().get('/static-files/first-choices.js').text)"
    command = ["exec", "--no-TTY", "--env", "MLFLOW_DISABLE_TELEMETRY=false", "mlflow", "python", "-c", program]
    choices = toolbox.compose(*command)
    assert "machine_learning" in choices
    assert "telemetry" not in choices


# An HTML artifact that attacks people who are logged in to JupyterLab.
HOSTILE = """<p></p><script>
fetch(NOTEBOOK + "/api/contents", {credentials: "include"}).then(answer => answer.text())
  .then(text => { document.title = "read " + text; }).catch(error => { document.title = "refused " + error; })
  .finally(() => { document.querySelector("p").textContent = "done"; });
</script>"""


def test_an_html_artifact_cannot_read_from_jupyterlab_even_in_its_own_tab(toolbox, visit):
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


def test_no_page_has_errors_or_sends_requests_outside(ran, found, first):
    assert ran["complaints"] == []
    assert set(found["complaints"]) <= {NO_USERS}
    assert [line for line in first["complaints"] if line != NO_USERS and not line.startswith(NO_VIDEO)] == []


def test_errors_of_a_page_and_its_requests_outside_are_detected(visit):
    seen = visit("misbehave.py", outside="http://outside.example/something")
    for complaint in ("request outside: http://outside.example", "something is wrong", "something failed"):
        assert any(complaint in line for line in seen["complaints"]), seen
    assert any(line.endswith(" for GET /something") for line in seen["complaints"]), seen


def test_a_visit_to_a_page_that_cannot_reach_its_server_fails(visit, champion):
    with pytest.raises(AssertionError, match=r"find_run\.py: the experiments: .* waiting for"):
        visit("find_run.py", **champion, blocked=["**/ajax-api/**"], timeout=5)
