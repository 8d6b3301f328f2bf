"""When a disk is full, writes fail at once, nothing is lost or truncated, and everything recovers with free space."""

import json
import time
from itertools import count

import pytest

from tests.support.copies import Copy
from tests.support.waiting import answers, is_healthy, until

pytestmark = pytest.mark.stack

# Within which a write has to fail.
LIMIT_SECONDS = 5
MB = 1 << 20
# Small file systems in memory, which exist as long as a container mounts them: here an idle one.
SMALL_DISKS = """
services:
  holder:
    image: {image}
    user: "0"
    command: [sleep, infinity]
    init: true
    volumes: [db-store:/db-store, artifact-store:/artifact-store]
volumes:
  db-store:
    driver_opts: {{type: tmpfs, device: tmpfs, o: size=256m}}
  artifact-store:
    driver_opts: {{type: tmpfs, device: tmpfs, o: size=64m}}
"""


@pytest.fixture(scope="module")
def small(toolbox, tmp_path_factory):
    """Another toolbox, with small disks for the database and for the artifacts."""
    copy = Copy(tmp_path_factory.mktemp("small") / "data-toolbox")
    image = toolbox.inspect("mlflow")["Config"]["Image"]
    (copy.root / "small-disks.yml").write_text(SMALL_DISKS.format(image=image))
    copy.set(COMPOSE_FILE="docker-compose.yml:small-disks.yml")
    try:
        copy.compose("up", "--detach", "holder")
        copy.succeed("up")
        yield copy
    finally:
        copy.succeed("clean", "--yes")
    assert copy.remains() == []


@pytest.fixture
def fill(small):
    """A function that fills the disk of a volume, or frees it again with free=True."""
    fillers = []

    def fill(volume, free=False):
        filler = f"/{volume}/filling"
        fillers.append(filler)
        # dd fails once it has filled the disk.
        command = f"rm -f {filler}" if free else f"dd if=/dev/zero of={filler} bs=64k; true"
        small.compose("exec", "--no-TTY", "holder", "sh", "-c", command)

    yield fill
    small.compose("exec", "--no-TTY", "holder", "rm", "-f", *fillers)
    until(lambda: is_healthy(small, "postgres", "mlflow"), "both are healthy again")


class Writer:
    """Logs metrics to a new run, and remembers which of them were acknowledged."""

    def __init__(self, toolbox):
        self.toolbox = toolbox
        _, answer = self.post("runs/create", {"experiment_id": "0"})
        self.run = json.loads(answer)["run"]["info"]["run_id"]
        self.steps = count()
        self.acknowledged = []
        self.failed = 0
        self.slowest = 0.0

    def post(self, path, body):
        """Send a request; return (status, body), with status 0 if there is no response."""
        try:
            return self.toolbox.request(
                "POST", "mlflow", f"/api/2.0/mlflow/{path}", body, Content_Type="application/json"
            )
        except OSError as error:
            return 0, str(error).encode()

    def write(self, rows=1):
        """Log a metric at `rows` steps in one request; return (status, body)."""
        steps = [next(self.steps) for _ in range(rows)]
        metrics = [{"key": "value", "value": step, "timestamp": 0, "step": step} for step in steps]
        start = time.monotonic()
        status, answer = self.post("runs/log-batch", {"run_id": self.run, "metrics": metrics})
        self.slowest = max(self.slowest, time.monotonic() - start)
        self.acknowledged += steps if status == 200 else []
        self.failed += status != 200
        return status, answer

    def until_rejected(self):
        """Write until a request is rejected; return (status, body)."""

        def rejected():
            status, body = self.write(1000)
            return None if status == 200 else (status, body)

        return until(rejected, "a write is rejected")

    def stored(self):
        """Return the acknowledged steps that are in the database."""
        rows = self.toolbox.sql("analyst", "mlflow", f"SELECT step FROM metrics WHERE run_uuid = '{self.run}'")
        return {step for (step,) in rows} & set(self.acknowledged)


def recovery_seconds(writer):
    """Wait until a write succeeds; return how many seconds that took."""
    start = time.monotonic()
    until(lambda: writer.write()[0] == 200, "writes succeed again")
    return time.monotonic() - start


def test_a_full_database_reports_it_and_recovers_with_free_space(small, fill, record_fault):
    writer = Writer(small)
    assert writer.write(1000)[0] == 200
    fill("db-store")
    status, answer = writer.until_rejected()
    assert status == 507
    assert "No space left on device" in json.loads(answer)["message"]
    until(
        lambda: small.health("postgres") == ("unhealthy", "The disk of the database is full: 0 MB are free.\n"),
        "postgres reports the full disk",
    )
    assert "postgres  unhealthy" in small.succeed("status")
    assert answers(small)

    fill("db-store", free=True)
    seconds = recovery_seconds(writer)
    record_fault("full database", len(writer.acknowledged), len(writer.stored()), writer.failed, seconds)
    assert writer.stored() == set(writer.acknowledged)
    assert writer.slowest < LIMIT_SECONDS


def test_a_database_that_crashed_on_a_full_write_ahead_log_recovers_with_free_space(small, fill, record_fault):
    writer = Writer(small)
    assert writer.write(1000)[0] == 200
    fill("db-store")
    # These messages are rolled back for lack of space, but fill the write-ahead log.
    noise = "SELECT pg_logical_emit_message(true, 'noise', repeat('x', 4000000)) FROM generate_series(1, 20)"
    client = ("psql", "--dbname", "mlflow", "--command", noise)
    result = small.run("docker", "compose", "exec", "--no-TTY", "postgres", *client)
    assert result.returncode != 0
    until(lambda: writer.write()[0] != 200, "a write is rejected")
    until(lambda: small.inspect("postgres")["RestartCount"] > 2, "postgres has tried to restart")
    writer.write()
    assert "No space left on device" in small.compose("logs", "--tail", "20", "postgres")
    until(lambda: small.health("mlflow")[0] == "unhealthy", "mlflow is unhealthy")

    fill("db-store", free=True)
    seconds = recovery_seconds(writer)
    record_fault("full log of the database", len(writer.acknowledged), len(writer.stored()), writer.failed, seconds)
    assert writer.stored() == set(writer.acknowledged)
    assert writer.slowest < LIMIT_SECONDS


def test_an_artifact_that_does_not_fit_is_rejected_and_leaves_nothing(small):
    result = small.in_notebook("upload.py", "100")
    assert "disk is full" in result["error"]
    assert result["seconds"] < LIMIT_SECONDS
    assert result["stored"] == []
    left = small.host("mlflow").check_output("find /mlflow/artifacts -type f -size +0")
    assert result["run_id"] not in left

    result = small.in_notebook("upload.py", "10")
    assert result["error"] is None
    assert result["stored"] == [["blob.bin", 10 * MB]]
    assert result["same"]


def test_mlflow_with_a_full_artifact_volume_is_unhealthy_but_still_logs_metrics(small, fill):
    fill("artifact-store")
    full = "The disk of the artifacts is full: 0 MB are free.\n"
    until(lambda: small.health("mlflow") == ("unhealthy", full), "mlflow is unhealthy")
    result = small.in_notebook("upload.py", "1")
    assert "disk is full" in result["error"]
    assert result["seconds"] < LIMIT_SECONDS
    assert Writer(small).write()[0] == 200

    fill("artifact-store", free=True)
    until(lambda: is_healthy(small, "mlflow"), "mlflow is healthy")
    assert small.in_notebook("upload.py", "1")["same"]


def test_an_artifact_larger_than_tmp_can_be_stored(toolbox):
    megabytes = 1024
    assert int(toolbox.host("mlflow").check_output("df -P -m /tmp | awk 'END { print $2 }'")) < megabytes
    result = toolbox.in_notebook("upload.py", str(megabytes))
    assert result["error"] is None
    assert result["stored"] == [["blob.bin", megabytes * MB]]
    assert result["same"]
