"""The Docker engine is restarted or killed while eight writers log: the toolbox recovers by itself."""

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
        bool(engines.missing()), reason=f"a second Docker engine cannot run here without {engines.missing()}"
    ),
]

WRITERS = 8
# The writers run on this machine, as they would end with the engine; so the large notebook image is not needed.
SERVICES = ("postgres", "mlflow")
IMAGES = (*SERVICES, *ONE_SHOTS)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """A second engine."""
    engine = engines.Engine(tmp_path_factory.mktemp("engine"))
    try:
        engine.start()
        yield engine
    finally:
        engine.remove()


@pytest.fixture(scope="module")
def second(toolbox, engine, tmp_path_factory):
    """A toolbox in the second engine, with the images of the shared toolbox."""
    copy = Copy(tmp_path_factory.mktemp("second") / "data-toolbox")
    engine.load({f"{toolbox.project}-{service}": f"{copy.project}-{service}" for service in IMAGES})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", engine.address)
        copy.compose("up", "--detach", "--no-build", "--wait", *SERVICES)
        yield copy


def answers(copy):
    """Return whether every service is healthy now, which Docker may not know yet."""
    checks = (("postgres", "data-toolbox-healthcheck"), ("mlflow", "python /opt/mlflow/healthcheck.py"))
    return all(
        copy.run("docker", "compose", "exec", "--no-TTY", service, *check.split()).returncode == 0
        for service, check in checks
    )


@pytest.mark.parametrize("signal", ["TERM", "KILL"])
def test_every_acknowledged_write_survives_the_end_of_the_engine(second, engine, record_fault, tmp_path, signal):
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
    record_fault(f"engine stopped by SIG{signal}", len(acknowledged), len(found), written["failed"], seconds)
    assert found == acknowledged
    until(lambda: is_healthy(second, *SERVICES), "both are healthy")
