"""What `invoke gc` does inside the mlflow container: find what was deleted in MLflow long ago, and delete it for good.

The text of this program is handed to the container as `python -c`. The rows are deleted by the functions of MLflow that
its own command `mlflow gc` calls. That command itself would not do:

- it deletes the files of a registered model's version when the run is deleted that logged them;
- it cannot leave something out: told which runs to delete, it deletes all deleted experiments and models as well;
- it leaves the files of the models and traces of an experiment that it deletes;
- it stops at the first location that it cannot reach, and then each time again;
- it deletes the default experiment, without which no server is healthy.

Files go before the row that points at them: where this breaks off, the row is still there for the next time.
"""

import contextlib
import json
import os
import shutil
import sys
import time
from typing import NamedTuple

import psycopg2

ROOT = os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", "")
SCHEME = "mlflow-artifacts:/"
DAY_MS = 24 * 60 * 60 * 1000
# st_blocks counts in these, whatever the file system.
BLOCK_BYTES = 512
# Later than every trace.
END_OF_TIME_MS = 2**63 - 1

# The ids of runs and models that versions of registered models need. A deleted version keeps its row, for its number.
NEEDED = """
SELECT DISTINCT (regexp_matches(concat_ws(' ', run_id, source, storage_location), '(?:m-)?[0-9a-f]{32}', 'g'))[1]
FROM model_versions WHERE current_stage IS DISTINCT FROM 'Deleted_Internal'
"""
RUNS = """
SELECT run_uuid, artifact_uri FROM runs
WHERE lifecycle_stage = 'deleted' AND deleted_time <= %(limit)s
"""
# Runs that somebody has deleted while their programs may still write: the server takes files for them all the same.
BUSY = """
SELECT run_uuid FROM runs WHERE lifecycle_stage = 'deleted' AND status = 'RUNNING' AND %(recent)s < greatest(start_time,
    (SELECT max(timestamp) FROM latest_metrics WHERE latest_metrics.run_uuid = runs.run_uuid))
"""
MODELS = """
SELECT model_id, artifact_location FROM logged_models
WHERE lifecycle_stage = 'deleted' AND last_updated_timestamp_ms <= %(limit)s
"""
# Those in which nothing is younger: a run can be restored, or deleted again, in an experiment that is deleted.
EXPERIMENTS = """
SELECT experiment_id, artifact_location FROM experiments AS experiment
WHERE lifecycle_stage = 'deleted' AND last_update_time <= %(limit)s AND experiment_id <> 0
    AND NOT EXISTS (SELECT FROM runs WHERE experiment_id = experiment.experiment_id
        AND (lifecycle_stage <> 'deleted' OR deleted_time IS NULL OR deleted_time > %(limit)s))
    AND NOT EXISTS (SELECT FROM logged_models WHERE experiment_id = experiment.experiment_id
        AND last_updated_timestamp_ms > %(limit)s)
"""
RUNS_OF = "SELECT run_uuid, artifact_uri FROM runs WHERE experiment_id = %(experiment)s"
MODELS_OF = "SELECT model_id, artifact_location FROM logged_models WHERE experiment_id = %(experiment)s"
TRACES_OF = """
SELECT request_id, value FROM trace_info JOIN trace_tags USING (request_id)
WHERE experiment_id = %(experiment)s AND key = 'mlflow.artifactLocation'
"""
IS_DELETED = {
    "runs": "SELECT FROM runs WHERE run_uuid = %(id)s AND lifecycle_stage = 'deleted'",
    "models": "SELECT FROM logged_models WHERE model_id = %(id)s AND lifecycle_stage = 'deleted'",
}


# --- Where files are ---


def folder_at(uri):
    """Return the folder of this container that a location of MLflow stands for; None when it is not below ROOT."""
    uri = uri or ""
    scheme, _, rest = uri.partition(SCHEME)
    parts = rest.split("/")
    # After an empty part comes the name of a host; the characters are more than a part of a name to the server.
    if scheme or "" in parts or set(uri) & set("%?#\\\0"):
        return None
    # They differ where a link or a `..` leads elsewhere.
    path = os.path.join(ROOT, *parts)
    return path if os.path.realpath(path) == path else None


def own_folder(uri, *names):
    """Return the folder that belongs to one run, model or trace alone, at whose `artifacts` its location `uri` points.

    `names` are how the path to it has to end. Returns None when the location is any other.
    """
    folder = folder_at(uri)
    own = folder and folder.split(os.sep)[-len(names) - 1 :] == [*names, "artifacts"]
    return os.path.dirname(folder) if own else None


def usage(path):
    """Return how many bytes of the disk a file or a folder takes, without what is in it; 0 when it is not there."""
    try:
        return os.lstat(path).st_blocks * BLOCK_BYTES
    except FileNotFoundError:
        return 0


def whole_usage(folder):
    """Return how many bytes of the disk a folder with all that is in it takes; 0 when it is not there."""
    return usage(folder) + sum(
        usage(os.path.join(parent, name)) for parent, folders, names in os.walk(folder) for name in (*folders, *names)
    )


def emptied(location, gone):
    """Return those folders of an experiment at `location` that are empty once the folders `gone` are deleted."""
    gone, empty = set(gone), []
    for path in frames(location):
        with contextlib.suppress(FileNotFoundError):
            if all(os.path.join(path, name) in gone for name in os.listdir(path)):
                gone.add(path)
                empty.append(path)
    return empty


def frames(location):
    """Return the folders of an experiment at `location` in which those of its runs, models and traces are."""
    return [os.path.join(location, "models"), os.path.join(location, "traces"), location]


def remove(folder):
    """Delete a folder with all that is in it; nothing when it is not there."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


# --- What is to go ---


class Experiment(NamedTuple):
    """What goes with an experiment beside its runs: its folder, and its models and traces as ids with their folders."""

    folder: str
    models: dict
    traces: dict


class Found:
    """What can go: `runs` and `models` as ids with their folders, `experiments` as ids with an Experiment.

    `needed`, `busy` and `elsewhere` are the ids of what stays, because a version of a registered model needs it, its
    program may still write, or its files are not where MLflow puts them in the artifact store.
    """

    def __init__(self):
        self.runs, self.models, self.experiments = {}, {}, {}
        self.needed, self.busy, self.elsewhere = set(), set(), set()

    def can_go(self, entries, needed, busy=frozenset()):
        """Return whether all `entries`, ids with their folders, can go; note those that cannot.

        `needed` and `busy` cannot.
        """
        kept, written = entries.keys() & needed, entries.keys() & busy
        strange = {name for name, folder in entries.items() if folder is None} - kept
        self.needed |= kept
        self.busy |= written
        self.elsewhere |= strange
        return not kept and not written and not strange

    def folders(self):
        """Return the folders of all runs, models and traces that go."""
        with_experiments = (
            folder for found in self.experiments.values() for folder in (*found.models.values(), *found.traces.values())
        )
        return {*self.runs.values(), *self.models.values(), *with_experiments}

    def summary(self):
        """Return the numbers of all that goes or stays, and the bytes of the disk that the files of what goes take."""
        folders = self.folders()
        frames = {path for found in self.experiments.values() for path in emptied(found.folder, folders)}
        models = {*self.models, *(name for found in self.experiments.values() for name in found.models)}
        return {
            "runs": len(self.runs),
            "experiments": len(self.experiments),
            "models": len(models),
            "bytes": sum(map(whole_usage, folders)) + sum(map(usage, frames)),
            "needed": len(self.needed),
            "busy": len(self.busy),
            "elsewhere": len(self.elsewhere),
        }


def rows(cursor, query, **values):
    """Return the rows of a query."""
    cursor.execute(query, values)
    return cursor.fetchall()


def find(cursor, limit):
    """Return what was deleted at the time `limit`, in ms since 1970, or before."""
    found = Found()
    needed = {name for (name,) in rows(cursor, NEEDED)}
    busy = {name for (name,) in rows(cursor, BUSY, recent=int(time.time() * 1000) - DAY_MS)}
    for name, uri in rows(cursor, RUNS, limit=limit):
        folder = own_folder(uri, name)
        if found.can_go({name: folder}, needed, busy):
            found.runs[name] = folder
    for name, uri in rows(cursor, MODELS, limit=limit):
        folder = own_folder(uri, "models", name)
        if found.can_go({name: folder}, needed):
            found.models[name] = folder
    for name, uri in rows(cursor, EXPERIMENTS, limit=limit):
        runs = {run: own_folder(uri, run) for run, uri in rows(cursor, RUNS_OF, experiment=name)}
        models = {model: own_folder(uri, "models", model) for model, uri in rows(cursor, MODELS_OF, experiment=name)}
        traces = {trace: own_folder(uri, "traces", trace) for trace, uri in rows(cursor, TRACES_OF, experiment=name)}
        experiment = Experiment(folder_at(uri), models, traces)
        if found.can_go(runs | models | traces | {f"experiment {name}": experiment.folder}, needed, busy):
            found.experiments[name] = experiment
    return found


# --- Delete ---


def delete(connection, limit):
    """Delete for good what can go; return what could not be deleted and why, as a list of texts."""
    # Only here, because it takes seconds.
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(os.environ["MLFLOW_BACKEND_STORE_URI"], SCHEME)
    problems = []

    def attempt(what, steps, *values):
        try:
            steps(*values)
        except Exception as error:
            # Whatever it is, the others can be deleted all the same.
            problems.append(f"{what}: {' '.join(str(error).split())}")

    def one(kind, hard_delete, name, folder):
        # Someone may have restored it since.
        with connection, connection.cursor() as cursor:
            if not rows(cursor, IS_DELETED[kind], id=name):
                return
        remove(folder)
        hard_delete(name)

    def whole(name, experiment):
        for model, folder in experiment.models.items():
            remove(folder)
            store._hard_delete_logged_model(model)
        for folder in experiment.traces.values():
            remove(folder)
        # The next step would read all of them into the memory first.
        store.delete_traces(str(name), max_timestamp_millis=END_OF_TIME_MS)
        for path in frames(experiment.folder):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        store._hard_delete_experiment(str(name))

    with connection, connection.cursor() as cursor:
        found = find(cursor, limit)
    for name, folder in found.runs.items():
        attempt(f"run {name}", one, "runs", store._hard_delete_run, name, folder)
    for name, folder in found.models.items():
        attempt(f"model {name}", one, "models", store._hard_delete_logged_model, name, folder)
    # Asked again, because someone may have restored one, or a run in it.
    with connection, connection.cursor() as cursor:
        found = find(cursor, limit)
    for name, experiment in found.experiments.items():
        attempt(f"experiment {name}", whole, name, experiment)
    return problems


def main(action, limit):
    """Print what can go that was deleted `limit` days ago ("find"), or delete what "find" has found ("delete").

    "find" prints its numbers and the time to hand to "delete", "delete" the list of what could not be deleted, as JSON.
    """
    uri = os.environ["MLFLOW_BACKEND_STORE_URI"].replace("+psycopg2", "", 1)
    with contextlib.closing(psycopg2.connect(uri)) as connection:
        # All that one search reads is of one moment.
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        if action == "delete":
            print(json.dumps(delete(connection, int(limit))))
            return
        moment = int(time.time() * 1000) - int(limit) * DAY_MS
        with connection, connection.cursor() as cursor:
            print(json.dumps({"limit": moment, **find(cursor, moment).summary()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
