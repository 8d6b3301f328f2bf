"""The same loop with each store of MLflow's client: Postgres, SQLite, files, and the server.

Only the toolbox is measured: without a server, both sides do the same.
"""

from contextlib import contextmanager

from benchmarks import fill, stacks

ROUNDS = 5
DATABASE = "bench_backends"
# The experiment that MLflow creates with its tables.
DEFAULT_EXPERIMENT = 0


def measure(sides, table, quick):
    """Record the milliseconds of a call of log_metric to each store."""
    ours = sides["ours"]
    # Stock is paused while it is our turn.
    for _, stack in stacks.in_turn(sides, 1):
        if stack is ours:
            with database(ours), experiment(ours) as experiment_id:
                stores = {
                    "Postgres directly": (f"postgresql+psycopg2:///{DATABASE}", DEFAULT_EXPERIMENT),
                    "SQLite": ("sqlite:///{folder}/mlflow.db", DEFAULT_EXPERIMENT),
                    "files": ("file://{folder}/mlruns", DEFAULT_EXPERIMENT),
                    "through the server": ("http://mlflow:5000", experiment_id),
                }
                arguments = [argument for store in stores.values() for argument in store]
                measured = ours.in_container("notebook", "time_stores.py", 1 if quick else ROUNDS, *arguments)
            for store, samples in zip(stores, measured, strict=True):
                for milliseconds in samples:
                    table.add("backends", f"log_metric, {store}", "ms", ours.name, milliseconds)


@contextmanager
def database(stack):
    """Create a database that the notebook may write to; drop it afterwards."""
    stack.psql(f"CREATE DATABASE {DATABASE} OWNER analyst")
    try:
        yield
    finally:
        stack.psql(f"DROP DATABASE {DATABASE} WITH (FORCE)")


@contextmanager
def experiment(stack):
    """Create an experiment on the server and give its ID; remove it afterwards."""
    experiment_id = fill.experiment(stack, "backends")
    try:
        yield experiment_id
    finally:
        fill.remove(stack, experiment_id)
