"""The same loop against each place where MLflow's client can keep runs: Postgres, SQLite, files, and the server.

Only the toolbox is asked: what the client does without a server is the same on both sides.
"""

from contextlib import contextmanager

from benchmarks import fill, stacks

ROUNDS = 5
DATABASE = "bench_backends"
# The experiment that MLflow makes with its tables.
DEFAULT_EXPERIMENT = 0


def measure(sides, table, quick):
    """Record the milliseconds of a call of log_metric to each store."""
    ours = sides["ours"]
    # Stock stands still while it is our turn.
    for _, stack in stacks.in_turn(sides, 1):
        if stack is ours:
            with database(ours), experiment(ours) as number:
                stores = {
                    "Postgres directly": (f"postgresql+psycopg2:///{DATABASE}", DEFAULT_EXPERIMENT),
                    "SQLite": ("sqlite:///{folder}/mlflow.db", DEFAULT_EXPERIMENT),
                    "files": ("file://{folder}/mlruns", DEFAULT_EXPERIMENT),
                    "through the server": ("http://mlflow:5000", number),
                }
                words = [word for store in stores.values() for word in store]
                took = ours.in_container("notebook", "time_stores.py", 1 if quick else ROUNDS, *words)
            for store, samples in zip(stores, took, strict=True):
                for milliseconds in samples:
                    table.add("backends", f"log_metric, {store}", "ms", ours.name, milliseconds)


@contextmanager
def database(stack):
    """Have a database that the notebook may write to, for the block."""
    stack.psql(f"CREATE DATABASE {DATABASE} OWNER analyst")
    try:
        yield
    finally:
        stack.psql(f"DROP DATABASE {DATABASE} WITH (FORCE)")


@contextmanager
def experiment(stack):
    """Have an experiment of the server's for the block; gives its number."""
    number = fill.experiment(stack, "backends")
    try:
        yield number
    finally:
        fill.remove(stack, number)
