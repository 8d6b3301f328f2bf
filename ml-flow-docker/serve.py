"""Serve MLflow with processes that share memory.

`mlflow server` loads all of MLflow and starts uvicorn, whose workers each load all of it again: 2 s and 150 MB per
process. Here one process loads it, and uvicorn's workers are forks of it. Their environment and uvicorn's arguments are
those of `mlflow server`; the tests compare the two.
"""

import gc
import importlib.util
import multiprocessing
import os
import shlex
import uuid
from pathlib import Path

# MLflow's application with the changes in app.py.
APP = "app:create_app"
# If one of these is set, `mlflow server` itself is started instead.
LEFT_TO_MLFLOW = (
    "MLFLOW_ARTIFACTS_ONLY",
    "MLFLOW_DEFAULT_ARTIFACT_ROOT",
    "MLFLOW_ENABLE_WORKSPACES",
    "MLFLOW_GUNICORN_OPTS",
    "MLFLOW_READ_REPLICA_BACKEND_STORE_URI",
    "MLFLOW_REGISTRY_STORE_URI",
    "MLFLOW_SERVE_ARTIFACTS",
    "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE",
    "MLFLOW_SQL_TRACE_ROLLUPS_ENABLED",
    "MLFLOW_STATIC_PREFIX",
    "MLFLOW_TRACE_ARCHIVAL_CONFIG",
    "MLFLOW_WORKSPACE_STORE_URI",
)


def is_left_to_mlflow(environment):
    """Return whether `environment`, a dictionary, requires `mlflow server` itself.

    Only that starts the processes of background jobs, which are on unless disabled.
    """
    jobs = environment.get("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "true").lower() in ("true", "1")
    return jobs or any(environment.get(name) for name in LEFT_TO_MLFLOW)


def worker_variables(environment):
    """Return the variables that the workers need in addition to `environment`, a dictionary."""
    store = environment["MLFLOW_BACKEND_STORE_URI"]
    settings = {
        "MLFLOW_ENABLE_WORKSPACES": "false",
        "MLFLOW_REGISTRY_URI": store,
        "MLFLOW_SERVER_SECRETS_CACHE_MAX_SIZE": "1000",
        "MLFLOW_SERVER_SECRETS_CACHE_TTL": "60",
        "MLFLOW_SERVER_X_FRAME_OPTIONS": environment.get("MLFLOW_SERVER_X_FRAME_OPTIONS") or "SAMEORIGIN",
        "MLFLOW_TRACKING_URI": store,
        "_MLFLOW_IN_JOB_EXECUTOR": "false",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": environment["MLFLOW_ARTIFACTS_DESTINATION"],
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_BOOT_ID": uuid.uuid4().hex,
        "_MLFLOW_SERVER_FILE_STORE": store,
        "_MLFLOW_SERVER_REGISTRY_STORE": store,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
    }
    if metrics := environment.get("MLFLOW_EXPOSE_PROMETHEUS"):
        settings["prometheus_multiproc_dir"] = metrics
    return settings


def options(environment):
    """Return uvicorn's arguments."""
    log_config = Path(importlib.util.find_spec("mlflow").origin).parent / "server" / "uvicorn_log_config.yaml"
    return [
        *shlex.split(environment.get("MLFLOW_UVICORN_OPTS", "")),
        # Older versions of MLflow have no such file.
        *(["--log-config", str(log_config)] if log_config.exists() else []),
        *("--host", environment["MLFLOW_HOST"]),
        *("--port", environment["MLFLOW_PORT"]),
        *("--workers", environment["MLFLOW_WORKERS"]),
        *("--factory", APP),
    ]


def main():
    """Serve until a signal ends it."""
    os.environ.update(worker_variables(os.environ))
    # Imports create no garbage, and collecting takes a tenth of the time.
    gc.disable()
    import uvicorn
    from app import create_app
    from uvicorn import _subprocess

    create_app()
    # uvicorn spawns its workers, which would load everything again; only forks share memory.
    _subprocess.spawn = multiprocessing.get_context("fork")
    # Garbage collection in a worker would write to every object, and so copy all shared pages.
    gc.freeze()
    gc.enable()
    uvicorn.main(options(os.environ))
