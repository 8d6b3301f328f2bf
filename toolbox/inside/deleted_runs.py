"""The part of `invoke gc` inside the mlflow container: find and permanently delete what was deleted in MLflow long ago.

The container gets this file's text with `python -c`. Rows are deleted with the functions of MLflow that `mlflow gc`
calls. That command itself is not suitable:

- it deletes the files of a registered model version with the run that logged them;
- it has no way to keep anything: even if given run IDs, it deletes all deleted experiments and models as well;
- it leaves behind the files of the models and traces of an experiment that it deletes;
- it stops at the first unreachable location, every time;
- it deletes the default experiment, without which no server is healthy.

Files are deleted before the row that refers to them, so after an interruption the next run finds the row.
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
# The unit of st_blocks on every file system.
BLOCK_BYTES = 512
# Later than any trace.
END_OF_TIME_MS = 2**63 - 1

# The IDs of runs and models that registered model versions need. A deleted version keeps its row.
NEEDED = """
SELECT DISTINCT (regexp_matches(concat_ws(' ', run_id, source, storage_location), '(?:m-)?[0-9a-f]{32}', 'g'))[1]
FROM model_versions WHERE current_stage IS DISTINCT FROM 'Deleted_Internal'
"""
RUNS = """
SELECT run_uuid, artifact_uri FROM runs
WHERE lifecycle_stage = 'deleted' AND deleted_time <= %(limit)s
"""
# Deleted runs whose programs may still write: the server accepts files for them.
BUSY = """
SELECT run_uuid FROM runs WHERE lifecycle_stage = 'deleted' AND status = 'RUNNING' AND %(recent)s < greatest(start_time,
    (SELECT max(timestamp) FROM latest_metrics WHERE latest_metrics.run_uuid = runs.run_uuid))
"""
MODELS = """
SELECT model_id, artifact_location FROM logged_models
WHERE lifecycle_stage = 'deleted' AND last_updated_timestamp_ms <= %(limit)s
"""
# Those with nothing that was deleted later: a run in a deleted experiment can be restored, or deleted again.
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


# --- Files ---


def folder_at(uri):
    """Return the directory in this container of an artifact location; None if it is not below ROOT."""
    uri = uri or ""
    scheme, _, rest = uri.partition(SCHEME)
    parts = rest.split("/")
    # An empty part precedes a host name, and the server interprets these characters.
    if scheme or "" in parts or set(uri) & set("%?#\\\0"):
        return None
    # They differ if there is a link or a `..`.
    path = os.path.join(ROOT, *parts)
    return path if os.path.realpath(path) == path else None


def own_folder(uri, *names):
    """Return the parent of the location `uri`, the directory that belongs to only one run, model or trace.

    Returns None unless the location ends with `names` and "artifacts".
    """
    folder = folder_at(uri)
    own = folder and folder.split(os.sep)[-len(names) - 1 :] == [*names, "artifacts"]
    return os.path.dirname(folder) if own else None


def usage(path):
    """Return the disk usage of a file, or of a directory without its content, in bytes; 0 if it does not exist."""
    try:
        return os.lstat(path).st_blocks * BLOCK_BYTES
    except FileNotFoundError:
        return 0


def whole_usage(folder):
    """Return the disk usage of a directory with its content, in bytes; 0 if it does not exist."""
    return usage(folder) + sum(
        usage(os.path.join(parent, name)) for parent, folders, names in os.walk(folder) for name in (*folders, *names)
    )


def emptied(location, deleted):
    """Return the shared directories of an experiment at `location` that are empty after those in `deleted` are gone."""
    deleted, empty = set(deleted), []
    for path in shared_folders(location):
        with contextlib.suppress(FileNotFoundError):
            if all(os.path.join(path, name) in deleted for name in os.listdir(path)):
                deleted.add(path)
                empty.append(path)
    return empty


def shared_folders(location):
    """Return the parents of the directories of runs, models and traces of an experiment at `location`."""
    return [os.path.join(location, "models"), os.path.join(location, "traces"), location]


def remove(folder):
    """Delete a directory with its content, if it exists."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


# --- Find ---


class Experiment(NamedTuple):
    """What is deleted with an experiment: its directory, and the directories of its models and traces by ID."""

    folder: str
    models: dict
    traces: dict


class Found:
    """What can be deleted: the directories of `runs` and `models` by ID, and `experiments`, an Experiment by ID.

    `needed`, `busy` and `elsewhere` are the IDs of what is kept, because a registered model version needs it, its
    program may still write, or its files are not at their usual place in the artifact store.
    """

    def __init__(self):
        self.runs, self.models, self.experiments = {}, {}, {}
        self.needed, self.busy, self.elsewhere = set(), set(), set()

    def can_delete(self, folders, needed, busy=frozenset()):
        """Return whether all of `folders`, directories by ID, can be deleted; note the IDs that cannot.

        Those are the ones in `needed` and `busy`, and those whose directory is None.
        """
        are_needed, are_busy = folders.keys() & needed, folders.keys() & busy
        are_elsewhere = {name for name, folder in folders.items() if folder is None} - are_needed
        self.needed |= are_needed
        self.busy |= are_busy
        self.elsewhere |= are_elsewhere
        return not are_needed and not are_busy and not are_elsewhere

    def folders(self):
        """Return the directories of all runs, models and traces to delete."""
        with_experiments = (
            folder for found in self.experiments.values() for folder in (*found.models.values(), *found.traces.values())
        )
        return {*self.runs.values(), *self.models.values(), *with_experiments}

    def summary(self):
        """Return the numbers of what is deleted and kept, and the disk usage of the files to delete in `bytes`."""
        folders = self.folders()
        shared = {path for found in self.experiments.values() for path in emptied(found.folder, folders)}
        models = {*self.models, *(name for found in self.experiments.values() for name in found.models)}
        return {
            "runs": len(self.runs),
            "experiments": len(self.experiments),
            "models": len(models),
            "bytes": sum(map(whole_usage, folders)) + sum(map(usage, shared)),
            "needed": len(self.needed),
            "busy": len(self.busy),
            "elsewhere": len(self.elsewhere),
        }


def rows(cursor, query, **values):
    """Return the rows of a query."""
    cursor.execute(query, values)
    return cursor.fetchall()


def find(cursor, limit):
    """Return the Found of what was deleted at or before the time `limit`, in ms since 1970."""
    found = Found()
    needed = {name for (name,) in rows(cursor, NEEDED)}
    busy = {name for (name,) in rows(cursor, BUSY, recent=int(time.time() * 1000) - DAY_MS)}
    for name, uri in rows(cursor, RUNS, limit=limit):
        folder = own_folder(uri, name)
        if found.can_delete({name: folder}, needed, busy):
            found.runs[name] = folder
    for name, uri in rows(cursor, MODELS, limit=limit):
        folder = own_folder(uri, "models", name)
        if found.can_delete({name: folder}, needed):
            found.models[name] = folder
    for name, uri in rows(cursor, EXPERIMENTS, limit=limit):
        runs = {run: own_folder(uri, run) for run, uri in rows(cursor, RUNS_OF, experiment=name)}
        models = {model: own_folder(uri, "models", model) for model, uri in rows(cursor, MODELS_OF, experiment=name)}
        traces = {trace: own_folder(uri, "traces", trace) for trace, uri in rows(cursor, TRACES_OF, experiment=name)}
        experiment = Experiment(folder_at(uri), models, traces)
        if found.can_delete(runs | models | traces | {f"experiment {name}": experiment.folder}, needed, busy):
            found.experiments[name] = experiment
    return found


# --- Delete ---


def delete(connection, limit):
    """Delete permanently what `find` finds; return what could not be deleted and why, as a list of texts."""
    # Imported here, as it takes seconds.
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(os.environ["MLFLOW_BACKEND_STORE_URI"], SCHEME)
    problems = []

    def attempt(what, steps, *values):
        try:
            steps(*values)
        except Exception as error:
            # Any error: the others can still be deleted.
            problems.append(f"{what}: {' '.join(str(error).split())}")

    def delete_one(kind, hard_delete, name, folder):
        # It may have been restored since.
        with connection, connection.cursor() as cursor:
            if not rows(cursor, IS_DELETED[kind], id=name):
                return
        remove(folder)
        hard_delete(name)

    def delete_experiment(name, experiment):
        for model, folder in experiment.models.items():
            remove(folder)
            store._hard_delete_logged_model(model)
        for folder in experiment.traces.values():
            remove(folder)
        # Otherwise the next call would load all of them into memory first.
        store.delete_traces(str(name), max_timestamp_millis=END_OF_TIME_MS)
        for path in shared_folders(experiment.folder):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        store._hard_delete_experiment(str(name))

    with connection, connection.cursor() as cursor:
        found = find(cursor, limit)
    for name, folder in found.runs.items():
        attempt(f"run {name}", delete_one, "runs", store._hard_delete_run, name, folder)
    for name, folder in found.models.items():
        attempt(f"model {name}", delete_one, "models", store._hard_delete_logged_model, name, folder)
    # Find again, as an experiment, or a run in it, may have been restored.
    with connection, connection.cursor() as cursor:
        found = find(cursor, limit)
    for name, experiment in found.experiments.items():
        attempt(f"experiment {name}", delete_experiment, name, experiment)
    return problems


def main(action, limit):
    """Find what was deleted at least `limit` days ago ("find"), or delete what "find" found ("delete").

    Prints JSON: "find" the numbers and a time, the `limit` for "delete"; "delete" the list of what it could not delete.
    """
    uri = os.environ["MLFLOW_BACKEND_STORE_URI"].replace("+psycopg2", "", 1)
    with contextlib.closing(psycopg2.connect(uri)) as connection:
        # All queries of one search see the same state.
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        if action == "delete":
            print(json.dumps(delete(connection, int(limit))))
            return
        moment = int(time.time() * 1000) - int(limit) * DAY_MS
        with connection, connection.cursor() as cursor:
            print(json.dumps({"limit": moment, **find(cursor, moment).summary()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
