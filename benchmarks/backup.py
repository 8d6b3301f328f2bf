"""How long `invoke backup` and `invoke restore` take, how large the backup is, and how much memory they need.

    .venv/bin/python -m benchmarks.backup [RUNS] [MEGABYTES]

Fills a temporary toolbox with runs (100,000, of ten metrics each) and artifacts (1000 MB), backs it up, restores the
backup over the data and into a second, empty toolbox, and compares the checksums of all rows and files. Takes minutes,
and about eight times the disk space of the artifacts.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from rich.filesize import decimal as human_size

from tests.support.copies import Copy
from toolbox.data.archive import Archive

# Ten metrics, two of them the latest, three params and three tags for each run, as MLflow's client logs them.
RUNS = """
INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time)
    VALUES (1000, 'many runs', 'mlflow-artifacts:/1000', 'active', 1, 1);
CREATE TEMP TABLE made AS SELECT number, md5(number::text) AS run, 1760000000000 + number * 1000 AS time
    FROM generate_series(1, {runs}) AS number;
INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,
        source_version, lifecycle_stage, artifact_uri, experiment_id)
    SELECT run, 'run-' || number, 'UNKNOWN', '', '', 'jovyan', 'FINISHED', time, time + 900, '', 'active',
        'mlflow-artifacts:/1000/' || run || '/artifacts', 1000 FROM made;
INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)
    SELECT key, random(), time + step, run, step, false
    FROM made, generate_series(0, 4) AS step, unnest(ARRAY['accuracy', 'loss']) AS key;
INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
    SELECT key, value, timestamp, step, is_nan, run_uuid FROM metrics WHERE step = 4;
INSERT INTO params (key, value, run_uuid)
    SELECT key, random()::text, run FROM made, unnest(ARRAY['alpha', 'batch_size', 'depth']) AS key;
INSERT INTO tags (key, value, run_uuid)
    SELECT key, key || number, run
    FROM made, unnest(ARRAY['mlflow.runName', 'mlflow.source.name', 'mlflow.user']) AS key;
"""
# A quarter in small files, the rest in three large ones; random bytes, because models hardly compress either.
ARTIFACTS = """
import os, sys
size = int(sys.argv[1]) * 1_000_000
for number in range(size // 4 // 50_000):
    folder = f"/mlflow/artifacts/1000/{number // 10:032x}/artifacts"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{number % 10}.bin", "wb") as file:
        file.write(os.urandom(50_000))
for number in range(3):
    with open(f"/mlflow/artifacts/1000/large-{number}.bin", "wb") as file:
        for _ in range(size // 4 // 250_000):
            file.write(os.urandom(250_000))
"""
FILE_SUMS = """
import hashlib, json, os
sums = {}
for parent, _, names in os.walk("/mlflow/artifacts"):
    for name in names:
        with open(os.path.join(parent, name), "rb") as file:
            sums[os.path.join(parent, name)] = hashlib.file_digest(file, "sha256").hexdigest()
print(json.dumps(sums))
"""
# A checksum of all rows of a table that does not depend on their order.
ROW_SUMS = """
SELECT format('SELECT %L, count(*), sum(hashtextextended(it::text, 0)) FROM %I AS it', tablename, tablename)
    FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename
"""


def fill(copy, runs, megabytes):
    """Log the runs, and write the artifacts."""
    copy.compose("exec", "--no-TTY", "mlflow", "python", "-c", ARTIFACTS, str(megabytes))
    copy.sql("mlflow", "mlflow", RUNS.format(runs=runs))


def sums(copy):
    """Return the number and the checksum of the rows of each table, and the checksum of each file."""
    rows = [copy.sql("mlflow", "mlflow", query) for [query] in copy.sql("mlflow", "mlflow", ROW_SUMS)]
    return rows, json.loads(copy.compose("exec", "--no-TTY", "mlflow", "python", "-c", FILE_SUMS))


def run_measured(copy, *arguments):
    """Run a task; print how long it took, and the peak memory of its largest process on this machine."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "-m", "invoke", *arguments]
        process = subprocess.Popen(command, cwd=copy.root, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        output.seek(0)
        text = output.read().decode()
    if status:
        sys.exit(f"invoke {arguments[0]} failed:\n{text}")
    # In kB on Linux.
    seconds, memory = time.monotonic() - begin, human_size(usage.ru_maxrss * 1024)
    print(f"{arguments[0]:8} {seconds:6.1f} s  {memory} of memory", flush=True)


@contextmanager
def toolbox(folder):
    """Start a toolbox and give it; delete it afterwards."""
    copy = Copy(folder)
    try:
        copy.succeed("up")
        yield copy
    finally:
        copy.succeed("clean", "--yes")


def main(runs="100000", megabytes="1000"):
    """Measure, and compare."""
    with tempfile.TemporaryDirectory() as scratch, toolbox(Path(scratch) / "one") as one:
        fill(one, int(runs), int(megabytes))
        before = sums(one)
        path = Path(scratch) / "backup.zip"
        run_measured(one, "backup", "--to", str(path))
        with Archive(path) as archive:
            for name, member in archive.manifest["members"].items():
                print(f"  {name:18} {human_size(member['size']):>9} of {human_size(member['unpacked'])}")
        print("over the data:")
        run_measured(one, "restore", "--yes", str(path))
        after = [sums(one)]
        with toolbox(Path(scratch) / "two") as two:
            print("into an empty toolbox:")
            run_measured(two, "restore", "--yes", str(path))
            after.append(sums(two))
    if after != [before, before]:
        sys.exit("The restored rows or files differ from the originals.")
    print(f"All {sum(row[1] for [row] in before[0])} rows and {len(before[1])} files are the same.")


if __name__ == "__main__":
    main(*sys.argv[1:])
