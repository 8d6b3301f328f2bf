"""The Docker engine is restarted, or killed and started, while eight writers log: the toolbox comes back by itself."""

import sys

import pytest

from tests.support import engines
from tests.support import written as written_requests
from tests.support.copies import ROOT, Copy
from tests.support.crashes import while_writing
from tests.support.waiting import TIMEOUT_SECONDS, is_healthy, until
from toolbox.compose import ONE_SHOTS

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(
        bool(engines.missing()), reason=f"a second Docker engine cannot be run here, without {engines.missing()}"
    ),
]

WRITERS = 8
# The writers are outside, as they would end with the engine, so the notebook and its large image are not needed.
SERVICES = ("postgres", "mlflow")
IMAGES = (*SERVICES, *ONE_SHOTS)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """An engine of its own."""
    engine = engines.Engine(tmp_path_factory.mktemp("engine"))
    try:
        engine.start()
        yield engine
    finally:
        engine.remove()


@pytest.fixture(scope="module")
def second(toolbox, engine, tmp_path_factory):
    """A toolbox in that engine, of the images that the other toolbox runs."""
    copy = Copy(tmp_path_factory.mktemp("second") / "data-toolbox")
    engine.load({f"{toolbox.project}-{service}": f"{copy.project}-{service}" for service in IMAGES})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", engine.address)
        copy.compose("up", "--detach", "--no-build", "--wait", *SERVICES)
        yield copy


def answers(copy):
    """Return whether every service is healthy now, whatever Docker has seen last."""
    checks = (("postgres", "data-toolbox-healthcheck"), ("mlflow", "python /opt/mlflow/healthcheck.py"))
    return all(
        copy.run("docker", "compose", "exec", "--no-TTY", service, *check.split()).returncode == 0
        for service, check in checks
    )


@pytest.mark.parametrize("signal", ["TERM", "KILL"])
def test_every_acknowledged_write_survives_the_engine(second, engine, record_fault, tmp_path, signal):
    stop = tmp_path / "stop"
    program = ROOT / "tests" / "inside" / "log_http.py"
    command = engine.inside(
        sys.executable, program, second.url("mlflow", ""), str(WRITERS), str(4 * TIMEOUT_SECONDS), stop
    )

    def rows():
        sql = "SELECT count(*) FROM metrics"
        return int(second.psql("analyst", "mlflow", sql).splitlines()[2])

    def fault():
        engine.end(signal)
        engine.start()

    written, seconds = while_writing(command, rows, 200, fault=fault, answers=lambda: answers(second), stop=stop.touch)
    acknowledged, found = written_requests.acknowledged(written), written_requests.stored(second, written)
    record_fault(f"engine ended by SIG{signal}", len(acknowledged), len(found), written["failed"], seconds)
    assert found == acknowledged
    until(lambda: is_healthy(second, *SERVICES), "both are healthy")
