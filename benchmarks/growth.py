"""What becomes of waits and sizes as one experiment grows, and how long a backup of the largest takes."""

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks import fill, stacks
from tests.support.waiting import is_healthy, until
from toolbox.compose import SERVICES

# How many runs the experiment has, one time after the other.
SIZES, SIZES_QUICK = (1_000, 10_000, 100_000), (1_000,)
ROUNDS, TIMES = 5, 4
MIB = 1024**2


def measure(sides, table, quick):
    """Record p50 of each question, and the size of the database, for each number of runs; and the backup of ours."""
    experiments = {name: fill.experiment(stack, "growth") for name, stack in sides.items()}
    before = 0
    for runs in SIZES_QUICK if quick else SIZES:
        grow = partial(grown, experiments=experiments, first=before + 1, last=runs, settle=not quick)
        with ThreadPoolExecutor() as threads:
            list(threads.map(grow, sides.values()))
        for _, stack in stacks.in_turn(sides, 1 if quick else ROUNDS):
            asked = stack.in_container("notebook", "ask_runs.py", experiments[stack.name], runs, TIMES)
            for question, milliseconds in asked.items():
                what = f"{question}, {runs:,} runs, p50"
                table.add("growth", what, "ms", stack.name, statistics.median(milliseconds))
        for stack in sides.values():
            [[size]] = stack.sql("SELECT pg_database_size(current_database())")
            table.add("growth", f"database, {runs:,} runs", "MiB", stack.name, size / MIB)
        before = runs
    if not quick:
        back_up(sides, table, before)


def grown(stack, experiments, first, last, settle):
    """Write the runs from number `first` to `last` into a side's experiment; wait for autovacuum if that is asked."""
    fill.runs(stack, experiments[stack.name], first, last)
    if settle:
        fill.settle(stack)


def back_up(sides, table, runs):
    """Record the seconds of a backup and of its restore, and its size. Only the toolbox has these."""
    # Stock stands still while it is our turn.
    for _, stack in stacks.in_turn(sides, 1):
        if stack is sides["ours"]:
            # A backup needs healthy services, and standing still is not healthy.
            until(partial(is_healthy, stack, *SERVICES), "the toolbox was healthy again")
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "backup.zip"
                for task, arguments in (("backup", ["--to", str(path)]), ("restore", ["--yes", str(path)])):
                    start = time.monotonic()
                    stack.succeed(task, *arguments)
                    table.add("growth", f"{task}, {runs:,} runs", "s", stack.name, time.monotonic() - start)
                size = path.stat().st_size / MIB
                table.add("growth", f"file of the backup, {runs:,} runs", "MiB", stack.name, size)
