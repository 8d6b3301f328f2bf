"""The example notebooks are in every home, and run from top to bottom without errors."""

import hashlib
import json
import re

import pytest

from tests.support import notebooks
from tests.support.copies import TOKEN_HEADER
from tests.support.notebooks import NAMES, code, load

pytestmark = pytest.mark.stack

RESULTS = {
    "1-track-an-experiment.ipynb": r"The champion reads 9\d\.\d% of the 360 test digits correctly\.",
    "2-ask-the-database.ipynb": r"The database has 720 losses of 12 runs; the best is 0\.4\d\d\.",
    "3-search.ipynb": r"The best of 50 trials: validation loss 0\.0\d\d, test loss 0\.[01]\d\d\.",
}
# With buffered logging, a notebook must see the same of its own runs.
BUFFERED = ("MLFLOW_ENABLE_ASYNC_LOGGING=true", "MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS=2")


@pytest.fixture(scope="module", params=NAMES)
def passes(request, toolbox):
    """The name of an example, and the outputs of its cells in a first pass and in one with buffered logging."""
    notebook = load(request.param)
    return request.param, notebooks.outputs(toolbox, notebook), notebooks.outputs(toolbox, notebook, *BUFFERED)


def kinds(cells):
    """Return the types of all outputs."""
    return {kind for outputs in cells.values() for output in outputs for kind in output}


def test_an_example_ends_with_its_result(passes):
    name, *both = passes
    for cells in both:
        [output] = cells["result"]
        assert re.fullmatch(RESULTS[name], output["stdout"].strip())


def test_an_example_shows_pictures_and_tables_and_prints_nothing_to_stderr(passes):
    _, *both = passes
    for cells in both:
        assert kinds(cells) == {"stdout", "image/png", "text/html", "text/plain"}


def test_a_second_pass_of_an_example_has_the_same_result_and_uses_only_its_own_runs(passes):
    name, first, second = passes
    assert first["result"] == second["result"]
    # Four runs are compared; among the trials, only the best of this pass is marked.
    expected = {"1-track-an-experiment.ipynb": ("compare", "<tr>", 5), "3-search.ipynb": ("best", ">true<", 1)}
    if name in expected:
        cell, mark, count = expected[name]
        assert [output["text/html"].count(mark) for cells in (first, second) for output in cells[cell]] == [count] * 2


def test_the_report_of_a_notebook_that_raises_is_only_the_cell_and_the_error(toolbox):
    notebook = load(NAMES[0])
    notebook["cells"] = [code("fine", "print('fine')"), code("wrong", "zero = 0\n1 / zero"), code("later", "print()")]
    with pytest.raises(pytest.fail.Exception) as raised:
        notebooks.outputs(toolbox, notebook)
    assert raised.value.msg == "this cell raised ZeroDivisionError: division by zero\n\nzero = 0\n1 / zero"


# --- In every home ---


def in_home(toolbox, command):
    """Run a shell command in the folder of the examples; return its output."""
    return toolbox.host("notebook").check_output(f"cd /home/jovyan/examples && {command}")


def recreate_container(toolbox):
    """Recreate the container of the notebook, wait until it is healthy, and return its log lines about examples."""
    toolbox.compose("up", "--detach", "--force-recreate", "--no-deps", "--wait", "notebook")
    return re.findall(r"examples: .*", toolbox.compose("logs", "--no-log-prefix", "notebook"))


def files(toolbox):
    """Return the SHA-256 of each file in the folder of the examples, by name."""
    lines = in_home(toolbox, "sha256sum *").splitlines()
    return {name: found for found, name in (line.split() for line in lines)}


@pytest.fixture
def ours(toolbox):
    """The SHA-256 of each example in the image, by name."""
    lines = toolbox.host("notebook").check_output("cd /opt/data-toolbox/examples && sha256sum *").splitlines()
    return {name: found for found, name in (line.split() for line in lines)}


def test_jupyterlab_shows_the_examples(toolbox):
    status, answer = toolbox.get("notebook", "/api/contents/examples", **TOKEN_HEADER)
    assert status == 200
    shown = {entry["name"]: entry["writable"] for entry in json.loads(answer)["content"]}
    assert shown == dict.fromkeys(NAMES, True)


def test_a_home_without_examples_gets_them(toolbox, ours):
    toolbox.host("notebook").check_output("rm -r /home/jovyan/examples")
    assert recreate_container(toolbox) == []
    assert files(toolbox) == ours


def test_a_home_with_older_examples_gets_the_newer_and_keeps_the_users_changes(toolbox, ours):
    old, changed, missing = NAMES
    older = hashlib.sha256(b"older\n").hexdigest()
    in_home(toolbox, f"echo older >{old} && echo mine >{changed} && rm {missing}")
    in_home(toolbox, f"echo '{json.dumps(dict.fromkeys(NAMES, older))}' >.shipped.json")
    yours = changed.replace(".ipynb", ".yours.ipynb")
    newer = f"examples: {changed} was updated, and your changed version is now {yours}."
    try:
        assert recreate_container(toolbox) == [newer]
        assert files(toolbox) == ours | {yours: hashlib.sha256(b"mine\n").hexdigest()}
    finally:
        in_home(toolbox, f"rm -f {yours}")


def test_a_changed_example_is_kept(toolbox, ours):
    in_home(toolbox, f"echo mine >{NAMES[0]}")
    try:
        assert recreate_container(toolbox) == []
        assert files(toolbox) == ours | {NAMES[0]: hashlib.sha256(b"mine\n").hexdigest()}
    finally:
        in_home(toolbox, f"rm {NAMES[0]}")
        recreate_container(toolbox)


def test_a_read_only_folder_of_examples_is_reported_in_one_line_and_jupyter_starts(toolbox, ours):
    in_home(toolbox, f"rm {NAMES[0]} && chmod a-w .")
    try:
        [line] = recreate_container(toolbox)
        assert "/home/jovyan/examples (Permission denied)" in line
        assert toolbox.health("notebook")[0] == "healthy"
    finally:
        in_home(toolbox, "chmod ug+w .")
        recreate_container(toolbox)
    assert files(toolbox) == ours


@pytest.mark.parametrize(
    ("options", "owner"),
    [
        pytest.param(["--user", "1234:100"], "1234:100", id="another user of the group users"),
        pytest.param(["--user", "root", "-e", "NB_UID=1234"], "1234:100", id="root that becomes another user"),
        pytest.param([], "1000:100", id="jovyan"),
    ],
)
def test_the_examples_belong_to_the_user_of_the_notebook(toolbox, options, owner):
    image = toolbox.inspect("notebook")["Config"]["Image"]
    command = "cd /home/jovyan/examples && stat -c '%u:%g' . .shipped.json *.ipynb | sort -u && echo x >>.shipped.json"
    result = toolbox.run("docker", "run", "--rm", "--network", "none", *options, image, "sh", "-c", command)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [owner]
