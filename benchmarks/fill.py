"""Many runs in MLflow's database, written with SQL in a thousandth of the time that MLflow's client would take."""

from tests.support.waiting import until

# Runs per transaction: Postgres keeps some memory for each row until the transaction ends.
BATCH = 10_000
PARAMS = ("batch_size", "depth", "epochs", "optimizer", "rate")
METRICS = ("accuracy", "auc", "f1", "loss", "recall")
STEPS = 10
EXPERIMENT = """
INSERT INTO experiments (name, lifecycle_stage, creation_time, last_update_time)
    VALUES ('{name}', 'active', 1760000000000, 1760000000000) RETURNING experiment_id
"""
LOCATION = """
UPDATE experiments SET artifact_location = 'mlflow-artifacts:/{experiment}' WHERE experiment_id = {experiment}
"""
# A run begins every ten seconds and takes nine. One run in ten has a given depth. Metrics are pseudo-random, with a
# fixed seed.
RUNS = f"""
SELECT setseed({{first}} / 1e9);
CREATE TEMP TABLE made ON COMMIT DROP AS
    SELECT number, md5('{{experiment}} ' || number) AS run, 1760000000000 + number * 10000 AS time
    FROM generate_series({{first}}, {{last}}) AS number;
INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,
        source_version, lifecycle_stage, artifact_uri, experiment_id)
    SELECT run, 'run-' || number, 'UNKNOWN', '', '', 'jovyan', 'FINISHED', time, time + 9000, '', 'active',
        'mlflow-artifacts:/{{experiment}}/' || run || '/artifacts', {{experiment}} FROM made;
WITH written AS (
    INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)
        SELECT key, random(), time + step * 900, run, step, false
        FROM made, unnest(ARRAY{list(METRICS)}) AS key, generate_series(0, {STEPS - 1}) AS step
        RETURNING *
)
INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
    SELECT key, value, timestamp, step, is_nan, run_uuid FROM written WHERE step = {STEPS - 1};
INSERT INTO params (key, value, run_uuid)
    SELECT key, CASE key WHEN 'depth' THEN (number % 10)::text ELSE random()::text END, run
    FROM made, unnest(ARRAY{list(PARAMS)}) AS key;
INSERT INTO tags (key, value, run_uuid)
    SELECT key, value, run
    FROM made, LATERAL (VALUES ('mlflow.user', 'jovyan'), ('mlflow.runName', 'run-' || number),
        ('mlflow.source.name', 'train.ipynb'), ('mlflow.source.type', 'LOCAL')) AS tag (key, value)
"""
TABLES = ("tags", "params", "latest_metrics", "metrics", "runs")
REMOVAL = "".join(
    f"DELETE FROM {table} WHERE run_uuid IN (SELECT run_uuid FROM runs WHERE experiment_id = {{experiment}});\n"
    for table in TABLES
)
# The tables that autovacuum will still analyze or vacuum: its default thresholds are 50 rows plus 10 %, and 1000 rows
# plus 20 %.
PENDING_AUTOVACUUM = f"""
SELECT counted.relname::text FROM pg_stat_user_tables AS counted JOIN pg_class ON pg_class.oid = relid
    WHERE counted.relname = ANY (ARRAY{list(TABLES)}) AND (n_mod_since_analyze > 50 + 0.1 * greatest(reltuples, 0)
        OR n_ins_since_vacuum > 1000 + 0.2 * greatest(reltuples, 0))
UNION ALL SELECT relid::regclass::text FROM pg_stat_progress_vacuum WHERE datname = current_database()
"""
# Autovacuum starts once a minute.
TIMEOUT_SECONDS = 300


def experiment(stack, name):
    """Create an experiment without runs; return its ID."""
    [[experiment_id]] = stack.sql(EXPERIMENT.format(name=name))
    stack.sql(LOCATION.format(experiment=experiment_id))
    return experiment_id


def name(number):
    """Return the name of a run."""
    return f"run-{number}"


def runs(stack, experiment, first, last):
    """Write the runs with numbers `first` to `last` into an experiment."""
    for start in range(first, last + 1, BATCH):
        stack.sql(RUNS.format(experiment=experiment, first=start, last=min(start + BATCH - 1, last)))


def wait_for_autovacuum(stack):
    """Wait until autovacuum has processed the runs."""
    until(lambda: not stack.sql(PENDING_AUTOVACUUM), "autovacuum was done", TIMEOUT_SECONDS)


def remove(stack, experiment):
    """Delete an experiment and its runs, and vacuum the tables, which frees the pages at their end."""
    stack.sql(REMOVAL.format(experiment=experiment))
    stack.sql(f"DELETE FROM experiments WHERE experiment_id = {experiment}")
    stack.sql(f"VACUUM {', '.join(TABLES)}")
