"""MLflow's server, but a few harmful requests are rejected, one query is faster, and its pages open with other choices.

Each function below says what it changes and why. MLflow finds this module as a plugin.
"""

import errno
import functools
import json
import logging
import os
import posixpath
import sys
from http import HTTPStatus
from pathlib import Path

import guard
from healthcheck import ROUTE

FULL = (errno.ENOSPC, errno.EDQUOT)
# The driver's exception, as it appears in MLflow's response.
DATABASE_IS_FULL = b"psycopg2.errors.DiskFull"
# MLflow's localStorage keys, with initial values for new users: the pages for model training, recent experiments on
# top, no dialogs.
FIRST_CHOICES = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.home.getting-started.collapsed_v1": True,
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
    "mlflow.detectIssues.guidanceShown_v1": True,
    "mlflow.flagForReview.guidanceShown_v1": True,
    "_mlflow_model_registry_promo_modal_dismissed_v1": True,
}
# With telemetry off, hide its announcement and show its switch as off.
NO_TELEMETRY = {"mlflow.telemetry.info.alert.dismissed_v1": True, "mlflow.settings.telemetry.enabled_v1": False}
# Existing choices are kept.
CHOOSE = "for (const [name, choice] of %s) localStorage.getItem(name) ?? localStorage.setItem(name, choice)"
CHOICES_PATH = "static-files/first-choices.js"
# Hide the assistant: it answers only requests from localhost, which never come from outside the container.
NO_ASSISTANT = "<style>[data-assistant-ui] {display: none !important}</style>"
# The limit of file systems, in bytes.
LONGEST_NAME = 255
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"


@functools.cache
def create_app():
    """Return the application that uvicorn serves: a singleton."""
    # MLflow reads this variable at import.
    origins = guard.own_origins(os.environ)
    os.environ["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(sorted(origins))
    # Imported here, because the supervisor process of `mlflow server` imports this module too, and needs none of these
    # 100 MB.
    from fastapi.responses import JSONResponse
    from flask import Response, has_request_context, request
    from google.protobuf.json_format import ParseError
    from mlflow.environment_variables import MLFLOW_DISABLE_TELEMETRY
    from mlflow.exceptions import MlflowException
    from mlflow.server import app as flask_app
    from mlflow.server import handlers
    from mlflow.server.fastapi_app import app
    from mlflow.store.artifact import local_artifact_repo
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from mlflow.utils import validation
    from sqlalchemy import Engine, event
    from starlette.requests import Request

    # On a full disk MLflow answers 500 or 503, which its clients silently retry for four minutes; they report 507 at
    # once.

    @app.exception_handler(OSError)
    async def artifacts_do_not_fit(request, error):
        if error.errno not in FULL:
            raise error
        # Read the rest: a client that is disconnected while sending sees no response.
        async for _ in request.stream():
            pass
        message = f"The artifact was not stored, its disk is full: {error.strerror}"
        return JSONResponse({"error_code": "RESOURCE_EXHAUSTED", "message": message}, HTTPStatus.INSUFFICIENT_STORAGE)

    @flask_app.after_request
    def rows_do_not_fit(response):
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE and DATABASE_IS_FULL in response.get_data():
            response.status_code = HTTPStatus.INSUFFICIENT_STORAGE
        return response

    # If a value cannot be parsed, such as a bare NaN, MLflow uses what it has parsed until then: it records 0 instead,
    # loses the metrics that follow, and answers 200.

    lenient = handlers.parse_dict

    def parse_dict(json, message):
        try:
            lenient(json, message)
        except ParseError as error:
            # All values in a query string are text, and MLflow parses some of them itself.
            if request.method == "GET":
                raise
            raise MlflowException.invalid_parameter_value(f"The request cannot be read: {error}") from error

    handlers.parse_dict = parse_dict

    # Postgres cannot store NUL in text. MLflow answers 500, which clients retry for four minutes; they report 400 at
    # once.

    @event.listens_for(Engine, "handle_error")
    def refuse_what_postgres_cannot_store(context):
        error = context.original_exception
        # The driver raises this before it sends anything.
        if isinstance(error, ValueError) and "NUL" in str(error):
            raise MlflowException.invalid_parameter_value("A text cannot contain the character NUL (\\0).") from error

    # MLflow silently truncates long params and tags. During training that is better than an error, but on a page the
    # user sees the error and still has the text.

    limit = validation._validate_length_limit

    def cut_only_for_programs(name, length, value, *, truncate=False):
        on_a_page = has_request_context() and request.path.startswith("/ajax-api/")
        return limit(name, length, value, truncate=truncate and not on_a_page)

    validation._validate_length_limit = cut_only_for_programs

    # A single request could delete all artifacts.

    @flask_app.before_request
    def keep_the_artifact_store():
        path = (request.view_args or {}).get("artifact_path", "")
        if request.method == "DELETE" and path and not posixpath.normpath(path).strip("/."):
            message = "The whole artifact store cannot be deleted: name what is in it."
            return {"error_code": "INVALID_PARAMETER_VALUE", "message": message}, HTTPStatus.BAD_REQUEST
        return None

    # MLflow decodes the name of an artifact repeatedly and parses it as a URL: %20 becomes a space, %0a a newline, and
    # a # is rejected. Keep the name as the client sent it, or reject it with the reason.

    def keep_the_name(path):
        names = path.split("/")
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
            reason = "it has a control character, such as a newline"
        elif path.startswith("/") or ".." in names:
            reason = "it leads out of its folder"
        elif posixpath.normpath(path).split("/")[0] == guard.STAGING:
            reason = "a restore stores the replaced artifacts there"
        elif any(len(name.encode()) > LONGEST_NAME for name in names):
            reason = f"it has more than {LONGEST_NAME} bytes"
        else:
            return path
        raise MlflowException.invalid_parameter_value(
            f"Invalid path: {path!r} cannot be the name of an artifact, {reason}."
        )

    # Older versions have no artifact router.
    router = sys.modules.get("mlflow.server.artifact_router")
    for module in filter(None, (handlers, router, local_artifact_repo)):
        module.validate_path_is_safe = keep_the_name

    # For deletion, MLflow decodes the name once more, and would delete another file.
    decode = local_artifact_repo.local_file_uri_to_path
    local_artifact_repo.local_file_uri_to_path = lambda uri: decode(uri) if uri.startswith("file:") else uri

    # A client that does not quote names truncates them at a ?, and would write, read or delete another artifact.

    @app.add_middleware
    def refuse_cut_names(application):
        async def answer(scope, receive, send):
            if scope["type"] == "http" and scope["path"].startswith(ARTIFACTS) and (rest := scope["query_string"]):
                async for _ in Request(scope, receive).stream():
                    pass
                name = scope["path"].removeprefix(ARTIFACTS)
                message = (
                    f"Invalid path: an artifact name with a ? in it, as in {name + '?' + rest.decode()!r}, has to be "
                    "quoted, which MLflow's client does not do. Use another name, or log from the toolbox's notebook."
                )
                refusal = {"error_code": "INVALID_PARAMETER_VALUE", "message": message}
                await JSONResponse(refusal, HTTPStatus.BAD_REQUEST)(scope, receive, send)
            else:
                await application(scope, receive, send)

        return answer

    # Without the default experiment every run that names none would fail, and the pages cannot restore it.

    delete_experiment = SqlAlchemyStore.delete_experiment

    def keep_the_first_experiment(store, experiment_id):
        if str(experiment_id) == SqlAlchemyStore.DEFAULT_EXPERIMENT_ID:
            raise MlflowException.invalid_parameter_value(
                "The experiment Default cannot be deleted, it takes the runs that name no experiment: delete its runs."
            )
        return delete_experiment(store, experiment_id)

    SqlAlchemyStore.delete_experiment = keep_the_first_experiment

    # By default the pages open on features for LLMs, covered by dialogs and an assistant. A separate file, because a
    # strict Content-Security-Policy forbids inline scripts.

    choices = FIRST_CHOICES | (NO_TELEMETRY if MLFLOW_DISABLE_TELEMETRY.get() else {})
    program = CHOOSE % json.dumps([(name, json.dumps(choice)) for name, choice in choices.items()])
    page = Path(flask_app.static_folder, "index.html").read_text(encoding="utf-8")
    page = page.replace("<head>", f'<head><script src="{CHOICES_PATH}"></script>{NO_ASSISTANT}', 1)
    # A page without traces would make the browser load a video from MLflow's site.
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": "media-src 'self' blob: data:"}
    flask_app.view_functions["serve"] = lambda: Response(page, headers=headers)

    @flask_app.route(f"/{CHOICES_PATH}")
    def first_choices():
        return Response(program, mimetype="text/javascript", headers={"Cache-Control": "no-cache"})

    # MLflow queries a page of runs with DISTINCT, so Postgres sorts all runs of an experiment with all columns.
    # Duplicates are impossible: a run has at most one joined metric, param or tag of each name. Only datasets
    # ("inputs") can cause some.

    @event.listens_for(Engine, "before_cursor_execute", retval=True)
    def find_a_page_without_sorting_all_runs(_connection, _cursor, statement, parameters, _context, _executemany):
        if statement.startswith("SELECT DISTINCT runs.") and " inputs" not in statement:
            statement = statement.replace("DISTINCT ", "", 1)
        return statement, parameters

    # The middleware added last runs first.
    app.add_middleware(guard.Guard, origins=origins)

    # Health checks every ten seconds would flood the log.
    logging.getLogger("uvicorn.access").addFilter(is_worth_logging)

    return app


def is_worth_logging(record):
    """Return whether a record of uvicorn's access log is anything but a successful health check.

    Its arguments are the client's address, the method, the path, the HTTP version, and the status.
    """
    client, _method, path, _version, status = record.args
    return not (client.startswith("127.0.0.1:") and path == ROUTE and status == HTTPStatus.OK)
