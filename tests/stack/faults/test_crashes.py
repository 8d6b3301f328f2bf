"""Services crash while eight writers log: every acknowledged write is stored, and the toolbox recovers by itself."""

import time

import pytest

from tests.support.copies import ROOT
from tests.support.crashes import kill, main_process, while_writing, workers
from tests.support.waiting import answers, is_healthy, until

pytestmark = pytest.mark.stack

OUTAGE_SECONDS = 20
STOP = "/tmp/stop-writing"


def killed_postgres(toolbox):
    kill(toolbox, main_process(toolbox, "postgres"))


def killed_mlflow(toolbox):
    kill(toolbox, main_process(toolbox, "mlflow"))


def killed_worker(toolbox):
    kill(toolbox, workers(toolbox)[0])


def killed_both(toolbox):
    kill(toolbox, main_process(toolbox, "mlflow"), main_process(toolbox, "postgres"))


def paused_postgres(toolbox):
    toolbox.compose("pause", "postgres")
    time.sleep(OUTAGE_SECONDS)
    toolbox.compose("unpause", "postgres")


def disconnected_postgres(toolbox):
    network, container = f"{toolbox.project}_default", toolbox.container("postgres")
    toolbox.run("docker", "network", "disconnect", network, container)
    time.sleep(OUTAGE_SECONDS)
    toolbox.run("docker", "network", "connect", "--alias", "postgres", network, container)


def mlflow_out_of_memory(toolbox):
    # Each is smaller than a server process, so that the kernel kills one of those first.
    hog = "import time; x = b'x' * (150 << 20); time.sleep(5)"
    before = workers(toolbox)
    toolbox.host("mlflow").run("for i in $(seq 16); do python -c %s & done; wait", hog)
    assert set(before) - set(workers(toolbox)), "no worker was killed"


@pytest.fixture(scope="module", autouse=True)
def _restarted(toolbox):
    """Restart mlflow afterwards: `doctor` counts out-of-memory kills since its start."""
    yield
    toolbox.compose("restart", "mlflow")
    until(lambda: is_healthy(toolbox, "mlflow"), "mlflow is healthy")


@pytest.mark.parametrize(
    "fault",
    [
        killed_postgres,
        killed_mlflow,
        killed_worker,
        killed_both,
        paused_postgres,
        disconnected_postgres,
        mlflow_out_of_memory,
    ],
    ids=lambda fault: fault.__name__,
)
def test_every_acknowledged_metric_survives_a_crash(toolbox, fault, record_fault):
    toolbox.host("notebook").run(f"rm -f {STOP}")

    def rows():
        return toolbox.sql("analyst", "mlflow", "SELECT count(*) FROM metrics")[0][0]

    program = (ROOT / "tests" / "inside" / "write.py").read_text()
    written, seconds = while_writing(
        ["docker", "compose", "exec", "--no-TTY", "notebook", "python", "-c", program, STOP],
        rows,
        100,
        fault=lambda: fault(toolbox),
        answers=lambda: answers(toolbox),
        stop=lambda: toolbox.host("notebook").run(f"touch {STOP}"),
        cwd=toolbox.root,
    )
    acknowledged = {(run, step) for run, steps in written["acknowledged"].items() for step in steps}
    lost = acknowledged - set(toolbox.sql("analyst", "mlflow", "SELECT run_uuid, step FROM metrics"))
    record_fault(fault.__name__, len(acknowledged), len(acknowledged) - len(lost), written["failed"], seconds)
    assert lost == set()
    until(lambda: is_healthy(toolbox, "mlflow", "postgres"), "both are healthy")
