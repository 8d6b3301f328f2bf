"""Latency and size as an experiment grows, and how long a backup of the largest takes."""

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks import fill, stacks
from tests.support.waiting import is_healthy, until
from toolbox.compose import SERVICES

# Numbers of runs in the experiment.
SIZES, SIZES_QUICK = (1_000, 10_000, 100_000), (1_000,)
ROUNDS, TIMES = 5, 4
MIB = 1024**2


def measure(sides, table, quick):
    """Record p50 of each query and the size of the database for each number of runs, and the backup of ours."""
    experiments = {name: fill.experiment(stack, "growth") for name, stack in sides.items()}
    before = 0
    for runs in SIZES_QUICK if quick else SIZES:
        add_runs = partial(grow, experiments=experiments, first=before + 1, last=runs, wait=not quick)
        with ThreadPoolExecutor() as threads:
            list(threads.map(add_runs, sides.values()))
        for _, stack in stacks.in_turn(sides, 1 if quick else ROUNDS):
            measured = stack.in_container("notebook", "query_runs.py", experiments[stack.name], runs, TIMES)
            for query, milliseconds in measured.items():
                what = f"{query}, {runs:,} runs, p50"
                table.add("growth", what, "ms", stack.name, statistics.median(milliseconds))
        for stack in sides.values():
            [[size]] = stack.sql("SELECT pg_database_size(current_database())")
            table.add("growth", f"database, {runs:,} runs", "MiB", stack.name, size / MIB)
        before = runs
    if not quick:
        back_up(sides, table, before)


def grow(stack, experiments, first, last, wait):
    """Write the runs with numbers `first` to `last` into a side's experiment, and `wait` for autovacuum."""
    fill.runs(stack, experiments[stack.name], first, last)
    if wait:
        fill.wait_for_autovacuum(stack)


def back_up(sides, table, runs):
    """Record the seconds of a backup and of its restore, and its size. Stock has neither."""
    # Stock is paused while it is our turn.
    for _, stack in stacks.in_turn(sides, 1):
        if stack is sides["ours"]:
            # A backup needs healthy services, and a pause makes them unhealthy.
            until(partial(is_healthy, stack, *SERVICES), "the toolbox was healthy again")
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "backup.zip"
                for task, arguments in (("backup", ["--to", str(path)]), ("restore", ["--yes", str(path)])):
                    start = time.monotonic()
                    stack.succeed(task, *arguments)
                    table.add("growth", f"{task}, {runs:,} runs", "s", stack.name, time.monotonic() - start)
                size = path.stat().st_size / MIB
                table.add("growth", f"file of the backup, {runs:,} runs", "MiB", stack.name, size)
