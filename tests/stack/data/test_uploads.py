"""An upload is cut off in the middle: nothing that is not whole gets the name of the artifact, and a retry succeeds."""

import json
import subprocess

import pytest

from tests.support.copies import ROOT
from tests.support.crashes import kill, main_process
from tests.support.waiting import TIMEOUT_SECONDS, is_healthy, until

pytestmark = pytest.mark.stack

MEGABYTES = 64
GATE = "/tmp/gate"
UNFINISHED = "/mlflow/artifacts -name '.artifact.uploading.*'"


def unfinished(toolbox):
    """Return the files of uploads that are not finished."""
    return toolbox.host("mlflow").check_output(f"find {UNFINISHED} -size +0").split()


def server(toolbox):
    kill(toolbox, main_process(toolbox, "mlflow"))


def worker(toolbox):
    # The one that has the file open; the other one would not be missed.
    find = "for fd in /proc/[0-9]*/fd/*; do case $(readlink $fd) in *.artifact.uploading.*) echo $fd; esac; done"
    [opened] = toolbox.host("mlflow").check_output(find).split()
    toolbox.host("mlflow").check_output(f"kill -9 {opened.split('/')[2]}")


def client(toolbox):
    toolbox.host("notebook").check_output(f"kill -9 $(cat {GATE}/half)")


@pytest.fixture
def uploading(toolbox):
    """A client that has sent half of an artifact and waits."""
    notebook = toolbox.host("notebook")
    notebook.check_output(f"rm -rf {GATE} && mkdir {GATE}")
    before = unfinished(toolbox)
    program = (ROOT / "tests" / "inside" / "upload.py").read_text()
    command = ["docker", "compose", "exec", "--no-TTY", "notebook", "python", "-c", program, str(MEGABYTES), GATE]
    with subprocess.Popen(
        command, cwd=toolbox.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            until(lambda: notebook.file(f"{GATE}/half").exists, "half is sent")
            until(lambda: set(unfinished(toolbox)) - set(before), "the server has some of it")
            yield process
        finally:
            notebook.check_output(f"touch {GATE}/go")
            process.communicate(timeout=TIMEOUT_SECONDS)


def go_on(toolbox, process):
    """Let the client go on; return what it says at its end, None when it was killed."""
    toolbox.host("notebook").check_output(f"touch {GATE}/go")
    printed, _ = process.communicate(timeout=2 * TIMEOUT_SECONDS)
    return json.loads(printed.splitlines()[-1]) if process.returncode == 0 else None


def stored(toolbox):
    """Return the artifacts and their sizes in bytes, those not finished left out."""
    listed = toolbox.host("mlflow").check_output("find /mlflow/artifacts -type f -printf '%s %p\\n'").splitlines()
    return {line for line in listed if ".artifact.uploading." not in line}


@pytest.mark.parametrize("victim", [server, worker], ids=lambda victim: victim.__name__)
def test_an_upload_that_the_server_did_not_survive_is_retried(toolbox, uploading, victim, record):
    before = stored(toolbox)
    victim(toolbox)
    until(lambda: is_healthy(toolbox, "mlflow"), "mlflow is healthy")
    assert stored(toolbox) == before
    result = go_on(toolbox, uploading)
    assert result["error"] is None
    assert result["stored"] == [["blob.bin", MEGABYTES << 20]]
    assert result["same"]
    assert before < stored(toolbox)
    record(f"{victim.__name__} killed during an upload: stored whole {result['seconds']:.1f} s after it had begun")


def test_an_upload_that_the_client_did_not_survive_leaves_nothing(toolbox, uploading):
    before, halves = stored(toolbox), unfinished(toolbox)
    client(toolbox)
    assert go_on(toolbox, uploading) is None
    until(lambda: len(unfinished(toolbox)) < len(halves), "the half of it is gone")
    assert stored(toolbox) == before
    assert toolbox.in_notebook("upload.py", str(MEGABYTES))["same"]


def test_what_a_crash_has_left_of_uploads_is_gone_after_the_next_start(toolbox, uploading):
    before = stored(toolbox)
    assert unfinished(toolbox)
    server(toolbox)
    until(lambda: is_healthy(toolbox, "mlflow"), "mlflow is healthy")
    assert unfinished(toolbox) == []
    assert stored(toolbox) == before
