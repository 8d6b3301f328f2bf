"""What was deleted in MLflow long ago is removed for good, with its files; everything else can be read as before."""

import re
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.stack

MUST_GO = {
    "old run",
    "old model",
    "old run of a live model",
    "given up model",
    "old experiment",
    "run of old experiment",
    "model of old experiment",
    "run of needed experiment",
}
MUST_STAY = {
    "lived in",
    "live run",
    "young run",
    "live model",
    "young model",
    "registered run",
    "registered model's run",
    "registered model",
    "copied model",
    "young experiment",
    "run of young experiment",
    "model of young experiment",
    "needed experiment",
    "model of needed experiment",
    "experiment with a live run",
    "run of experiment with a live run",
    "model of experiment with a live run",
    "elsewhere",
    "run elsewhere",
}
TIMEOUT_SECONDS = 60
MANY = 500


def until(condition, what):
    """Return once `condition` holds; fail if it does not within TIMEOUT_SECONDS."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < end, f"timed out waiting until {what}"
        time.sleep(0.02)


def sql(toolbox, statement):
    """Run a statement as the role that owns MLflow's tables; return the rows."""
    return toolbox.sql("mlflow", "mlflow", statement)


def ids(toolbox):
    """Return the IDs of all runs, models and experiments in MLflow's tables."""
    union = "SELECT run_uuid FROM runs UNION SELECT model_id FROM logged_models UNION SELECT experiment_id::text"
    return {name for (name,) in sql(toolbox, f"{union} FROM experiments")}


def rows(toolbox):
    """Return the number of rows of each table."""
    tables = [name for (name,) in sql(toolbox, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    return {name: sql(toolbox, f'SELECT count(*) FROM "{name}"')[0][0] for name in tables}


def files(toolbox):
    """Return the paths of all files and folders below the artifacts."""
    return set(toolbox.host("mlflow").check_output("cd /mlflow/artifacts && find .").splitlines())


def disk_usage(toolbox):
    """Return the disk usage of the artifacts in bytes."""
    return int(toolbox.host("mlflow").check_output("du -s --block-size=1 /mlflow/artifacts").split()[0])


def age(toolbox, names):
    """Set the deletion of deleted runs, models and experiments to 31 days ago, and end all deleted runs."""
    sql(toolbox, "UPDATE runs SET status = 'FINISHED' WHERE lifecycle_stage = 'deleted' RETURNING 1")
    chosen = ",".join(f"'{name}'" for name in names)
    long_ago = int((time.time() - 31 * 24 * 60 * 60) * 1000)
    for table, column, key in (
        ("runs", "deleted_time", "run_uuid"),
        ("logged_models", "last_updated_timestamp_ms", "model_id"),
        ("experiments", "last_update_time", "experiment_id::text"),
    ):
        sql(toolbox, f"UPDATE {table} SET {column} = {long_ago} WHERE {key} IN ({chosen}) RETURNING 1")


@pytest.fixture(scope="module")
def swept(toolbox):
    """The state before, after a dry run and after the sweep itself, and the output of both."""
    seen = {"ids": toolbox.in_notebook("delete.py")}
    live = ("live run", "run of experiment with a live run")
    young = ("young run", "young model", "young experiment", "run of young experiment", "model of young experiment")
    age(toolbox, {name for what, name in seen["ids"].items() if what not in (*live, *young)})

    def look(when):
        seen[when] = {"ids": ids(toolbox), "rows": rows(toolbox), "files": files(toolbox), "disk": disk_usage(toolbox)}

    look("before")
    seen["dry run"] = toolbox.succeed("gc")
    look("after the dry run")
    seen["sweep"] = toolbox.succeed("gc", "--yes")
    look("after")
    return seen


def test_a_dry_run_of_gc_changes_nothing(swept):
    assert swept["after the dry run"] == swept["before"]


def test_a_dry_run_of_gc_prints_how_much_the_sweep_then_frees(swept):
    announced = int(re.search(r"\((\d+) bytes\)", swept["dry run"])[1])
    assert announced == swept["before"]["disk"] - swept["after"]["disk"]
    assert announced > 7 * 300_001
    assert swept["dry run"].splitlines()[:-1] == swept["sweep"].splitlines()[:-1]


def test_a_dry_run_of_gc_prints_how_much_is_removed_and_kept(swept):
    first, second, third = swept["dry run"].splitlines()[:3]
    assert first.startswith("Deleted in MLflow at least 30 days ago: 4 runs, 1 experiment, 3 models,")
    assert second.startswith("5 kept: registered model versions need them")
    assert third.startswith("1 kept: their files are not in the artifact store")


def test_every_case_of_gc_must_either_go_or_stay(swept):
    assert swept["ids"].keys() == MUST_GO | MUST_STAY
    assert not MUST_GO & MUST_STAY


@pytest.mark.parametrize("name", sorted(MUST_GO))
def test_gc_removes_what_was_deleted_long_ago_with_its_files(swept, name):
    gone = swept["ids"][name]
    assert gone in swept["before"]["ids"]
    assert gone not in swept["after"]["ids"]
    assert [path for path in swept["after"]["files"] if gone in path.split("/")] == []


@pytest.mark.parametrize("name", sorted(MUST_STAY))
def test_gc_keeps_everything_else_with_its_files(swept, name):
    kept = swept["ids"][name]
    assert kept in swept["after"]["ids"]
    if not name.endswith("experiment") and name not in ("lived in", "experiment with a live run"):
        lost = swept["before"]["files"] - swept["after"]["files"]
        assert [path for path in lost if kept in path.split("/")] == []


def test_registered_versions_can_be_downloaded_though_their_source_was_deleted(toolbox, swept):
    program = """
import mlflow, sys
for version in sys.argv[1:]:
    print(mlflow.artifacts.download_artifacts(f"models:/{version}"))
"""
    versions = ("by run/1", "by model/1", "copy/1", "needs an experiment/1")
    downloaded = toolbox.compose("exec", "--no-TTY", "notebook", "python", "-c", program, *versions).splitlines()
    for folder in downloaded[-len(versions) :]:
        assert toolbox.host("notebook").check_output("find %s -name weight.bin -size 300001c", folder) != ""


def test_a_second_gc_finds_nothing(toolbox, swept):
    assert toolbox.succeed("gc").startswith("Deleted in MLflow at least 30 days ago: 0 runs, 0 experiments, 0 models")


def test_gc_keeps_the_default_experiment_because_the_health_check_requests_it(toolbox, swept):
    sql(
        toolbox,
        "UPDATE experiments SET lifecycle_stage = 'deleted', last_update_time = 1 WHERE experiment_id = 0 RETURNING 1",
    )
    try:
        toolbox.succeed("gc", "--yes")
        assert toolbox.get("mlflow", "/api/2.0/mlflow/experiments/get?experiment_id=0")[0] == 200
    finally:
        sql(toolbox, "UPDATE experiments SET lifecycle_stage = 'active' WHERE experiment_id = 0 RETURNING 1")


# --- Interruptions and failures ---


@pytest.fixture
def many_runs(toolbox, swept):
    """Runs that were deleted long ago, with files: a function that returns how many are left."""
    where = swept["ids"]["lived in"]
    sql(
        toolbox,
        f"""
        INSERT INTO runs (run_uuid, lifecycle_stage, deleted_time, experiment_id, artifact_uri)
        SELECT id, 'deleted', 1, {where}, 'mlflow-artifacts:/{where}/' || id || '/artifacts'
        FROM (SELECT md5(number::text) AS id FROM generate_series(1, {MANY}) AS number) AS made RETURNING 1
        """,
    )
    program = f"""
import hashlib, pathlib
for number in range(1, {MANY} + 1):
    folder = pathlib.Path("/mlflow/artifacts/{where}", hashlib.md5(str(number).encode()).hexdigest(), "artifacts")
    folder.mkdir(parents=True)
    (folder / "file").write_text("x")
"""
    assert toolbox.host("mlflow").run("python -c %s", program).rc == 0
    return lambda: sql(toolbox, "SELECT count(*) FROM runs WHERE deleted_time = 1")[0][0]


def test_a_killed_gc_can_be_repeated_and_leaves_nothing(toolbox, swept, many_runs):
    # The pattern does not match the shell that runs it.
    kill = 'for each in /proc/[0-9]*; do grep -qs "[I]S_DELETED" $each/cmdline && kill -9 ${each#/proc/}; done; true'
    command = [sys.executable, "-m", "invoke", "gc", "--yes"]
    with subprocess.Popen(
        command, cwd=toolbox.root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until(lambda: many_runs() < MANY, "the first run is gone")
        toolbox.host("mlflow").run("sh -c %s", kill)
        _, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
    assert 0 < many_runs() < MANY
    assert process.returncode == 1
    assert [line[:6] for line in stderr.splitlines()] == ["FAIL: "]
    assert toolbox.get("mlflow", "/api/2.0/mlflow/experiments/get?experiment_id=0")[0] == 200

    toolbox.succeed("gc", "--yes")
    assert many_runs() == 0
    assert files(toolbox) == swept["after"]["files"]


def test_gc_keeps_the_row_of_files_that_cannot_be_deleted_and_removes_the_rest(toolbox, swept):
    where, stuck, other = swept["ids"]["lived in"], "0" * 32, "1" * 32
    values = ", ".join(
        f"('{name}', 'deleted', 2, {where}, 'mlflow-artifacts:/{where}/{name}/artifacts')" for name in (stuck, other)
    )
    columns = "run_uuid, lifecycle_stage, deleted_time, experiment_id, artifact_uri"
    sql(toolbox, f"INSERT INTO runs ({columns}) VALUES {values} RETURNING 1")

    def as_root(command):
        volume = f"{toolbox.project}_artifact-store:/mlflow/artifacts"
        options = ("--rm", "--user", "0", "--volume", volume, "--entrypoint", "sh", f"{toolbox.project}-mlflow")
        assert toolbox.run("docker", "run", *options, "-c", command).returncode == 0

    folder = f"/mlflow/artifacts/{where}/{stuck}"
    as_root(f"mkdir --parents {folder}/artifacts && touch {folder}/artifacts/file")
    result = toolbox.invoke("gc", "--yes")
    assert result.returncode == 1
    assert [line[:6] for line in result.stderr.splitlines()] == ["FAIL: "]
    assert f"1 could not be deleted, the rest is gone (run {stuck}: " in result.stderr
    assert sql(toolbox, "SELECT run_uuid FROM runs WHERE deleted_time = 2") == [(stuck,)]

    as_root(f"chown --recursive 10001 {folder}")
    toolbox.succeed("gc", "--yes")
    assert sql(toolbox, "SELECT run_uuid FROM runs WHERE deleted_time = 2") == []
    assert files(toolbox) == swept["after"]["files"]


def test_gc_keeps_a_deleted_run_as_long_as_its_program_may_write(toolbox, swept):
    run = {"experiment_id": "0", "start_time": int(time.time() * 1000)}
    _, created = toolbox.post("/api/2.0/mlflow/runs/create", run)
    name = created["run"]["info"]["run_id"]
    sql(toolbox, f"UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = 3 WHERE run_uuid = '{name}' RETURNING 1")
    printed = toolbox.succeed("gc", "--yes")
    assert "1 kept: MLflow lists them as running" in printed
    assert name in ids(toolbox)
    sql(toolbox, f"UPDATE runs SET status = 'KILLED' WHERE run_uuid = '{name}' RETURNING 1")
    toolbox.succeed("gc", "--yes")
    assert name not in ids(toolbox)


# --- Errors ---


@pytest.mark.parametrize("limit", ["--older-than=abc", "--older-than=-1", "--older-than=1.5"])
def test_gc_rejects_an_invalid_number_of_days(toolbox, limit):
    result = toolbox.invoke("gc", limit)
    assert result.returncode == 1
    assert [line[:6] for line in result.stderr.splitlines()] == ["FAIL: "]


def test_gc_reports_a_service_that_is_not_running(toolbox):
    toolbox.compose("pause", "mlflow")
    try:
        result = toolbox.invoke("gc")
    finally:
        toolbox.compose("unpause", "mlflow")
        until(lambda: toolbox.health("mlflow")[0] == "healthy", "MLflow is healthy again")
    assert result.returncode == 1
    assert result.stderr == 'FAIL: mlflow is not running, or not healthy: start the toolbox with "invoke up".\n'
