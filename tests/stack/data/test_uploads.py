"""An interrupted upload never leaves an incomplete artifact, and a retry succeeds."""

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
    """Return the files of unfinished uploads."""
    return toolbox.host("mlflow").check_output(f"find {UNFINISHED} -size +0").split()


def server(toolbox):
    kill(toolbox, main_process(toolbox, "mlflow"))


def worker(toolbox):
    # Only the worker that has the file open matters.
    find = "for fd in /proc/[0-9]*/fd/*; do case $(readlink $fd) in *.artifact.uploading.*) echo $fd; esac; done"
    [opened] = toolbox.host("mlflow").check_output(find).split()
    toolbox.host("mlflow").check_output(f"kill -9 {opened.split('/')[2]}")


def client(toolbox):
    toolbox.host("notebook").check_output(f"kill -9 $(cat {GATE}/half)")


@pytest.fixture
def uploading(toolbox):
    """A client that has uploaded half of an artifact and waits."""
    notebook = toolbox.host("notebook")
    notebook.check_output(f"rm -rf {GATE} && mkdir {GATE}")
    before = unfinished(toolbox)
    program = (ROOT / "tests" / "inside" / "upload.py").read_text()
    command = ["docker", "compose", "exec", "--no-TTY", "notebook", "python", "-c", program, str(MEGABYTES), GATE]
    with subprocess.Popen(
        command, cwd=toolbox.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            until(lambda: notebook.file(f"{GATE}/half").exists, "half of the file is sent")
            until(lambda: set(unfinished(toolbox)) - set(before), "the server has stored a part")
            yield process
        finally:
            notebook.check_output(f"touch {GATE}/go")
            process.communicate(timeout=TIMEOUT_SECONDS)


def finish(toolbox, process):
    """Let the client continue; return its output, or None if it was killed."""
    toolbox.host("notebook").check_output(f"touch {GATE}/go")
    printed, _ = process.communicate(timeout=2 * TIMEOUT_SECONDS)
    return json.loads(printed.splitlines()[-1]) if process.returncode == 0 else None


def stored(toolbox):
    """Return the finished artifacts and their sizes in bytes."""
    listed = toolbox.host("mlflow").check_output("find /mlflow/artifacts -type f -printf '%s %p\\n'").splitlines()
    return {line for line in listed if ".artifact.uploading." not in line}


@pytest.mark.parametrize("victim", [server, worker], ids=lambda victim: victim.__name__)
def test_an_upload_is_retried_after_a_crash_of_the_server(toolbox, uploading, victim, record):
    before = stored(toolbox)
    victim(toolbox)
    until(lambda: is_healthy(toolbox, "mlflow"), "mlflow is healthy")
    assert stored(toolbox) == before
    result = finish(toolbox, uploading)
    assert result["error"] is None
    assert result["stored"] == [["blob.bin", MEGABYTES << 20]]
    assert result["same"]
    assert before < stored(toolbox)
    record(f"{victim.__name__} killed during an upload: complete {result['seconds']:.1f} s after its start")


def test_an_upload_of_a_killed_client_leaves_nothing(toolbox, uploading):
    before, halves = stored(toolbox), unfinished(toolbox)
    client(toolbox)
    assert finish(toolbox, uploading) is None
    until(lambda: len(unfinished(toolbox)) < len(halves), "the unfinished file is deleted")
    assert stored(toolbox) == before
    assert toolbox.in_notebook("upload.py", str(MEGABYTES))["same"]


def test_the_next_start_deletes_unfinished_uploads_of_a_crash(toolbox, uploading):
    before = stored(toolbox)
    assert unfinished(toolbox)
    server(toolbox)
    until(lambda: is_healthy(toolbox, "mlflow"), "mlflow is healthy")
    assert unfinished(toolbox) == []
    assert stored(toolbox) == before
