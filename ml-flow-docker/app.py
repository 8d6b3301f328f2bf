"""MLflow's server as it is, but for a few requests that it would answer with harm done, one that it makes slow, and the
choices with which its pages open.

What is refused or changed, and why, stands at each of the functions below. MLflow finds this as a plugin.
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
from start import WORKSHOP

FULL = (errno.ENOSPC, errno.EDQUOT)
# What the driver calls it in the answer that MLflow makes of it.
DATABASE_IS_FULL = b"psycopg2.errors.DiskFull"
# MLflow's own names for what a person chose on its pages, and the choices of one who is new here: the pages for model
# training, with recent experiments on top, and nothing over them.
FIRST_CHOICES = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.home.getting-started.collapsed_v1": True,
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
    "mlflow.detectIssues.guidanceShown_v1": True,
    "mlflow.flagForReview.guidanceShown_v1": True,
    "_mlflow_model_registry_promo_modal_dismissed_v1": True,
}
# Without telemetry there is nothing to announce, and its switch shows that.
NO_TELEMETRY = {"mlflow.telemetry.info.alert.dismissed_v1": True, "mlflow.settings.telemetry.enabled_v1": False}
# A choice that was made stays.
CHOOSE = "for (const [name, choice] of %s) localStorage.getItem(name) ?? localStorage.setItem(name, choice)"
CHOICES_PATH = "static-files/first-choices.js"
# The assistant answers only requests from its own machine, which no browser shares with a container: its buttons fail.
NO_ASSISTANT = "<style>[data-assistant-ui] {display: none !important}</style>"
# What file systems take, in bytes.
LONGEST_NAME = 255
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"


@functools.cache
def create_app():
    """Return the application that uvicorn serves: always the same one."""
    # MLflow looks at these as well, when it is imported.
    origins = guard.own_origins(os.environ)
    os.environ["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(sorted(origins))
    # Here, because `mlflow server` imports this module too and serves nothing itself: it would take 100 MB for nothing.
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

    # On a full disk MLflow answers 500 or 503. Its clients repeat those for four minutes, in silence; they show 507 at
    # once, with its text.

    @app.exception_handler(OSError)
    async def artifacts_do_not_fit(request, error):
        if error.errno not in FULL:
            raise error
        # A client that is cut off while it sends sees no answer.
        async for _ in request.stream():
            pass
        message = f"The artifact was not stored, its disk is full: {error.strerror}"
        return JSONResponse({"error_code": "RESOURCE_EXHAUSTED", "message": message}, HTTPStatus.INSUFFICIENT_STORAGE)

    @flask_app.after_request
    def rows_do_not_fit(response):
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE and DATABASE_IS_FULL in response.get_data():
            response.status_code = HTTPStatus.INSUFFICIENT_STORAGE
        return response

    # Where a value cannot be read, such as a bare NaN, MLflow goes on with what it has read until there: it records 0
    # in its place, loses the metrics after it, and answers 200.

    lenient = handlers.parse_dict

    def parse_dict(json, message):
        try:
            lenient(json, message)
        except ParseError as error:
            # In an address all values are text, and MLflow reads some of them itself.
            if request.method == "GET":
                raise
            raise MlflowException.invalid_parameter_value(f"The request cannot be read: {error}") from error

    handlers.parse_dict = parse_dict

    # Postgres stores no NUL in a text. MLflow answers 500, which clients repeat for four minutes; they show 400.

    @event.listens_for(Engine, "handle_error")
    def refuse_what_postgres_cannot_store(context):
        error = context.original_exception
        # The driver raises this before it sends anything.
        if isinstance(error, ValueError) and "NUL" in str(error):
            raise MlflowException.invalid_parameter_value("A text cannot contain the character NUL (\\0).") from error

    # MLflow cuts a long param or tag without a word. In the middle of a training that is better than an error, but who
    # types a description on a page sees the error and still has the text.

    limit = validation._validate_length_limit

    def cut_only_for_programs(name, length, value, *, truncate=False):
        on_a_page = has_request_context() and request.path.startswith("/ajax-api/")
        return limit(name, length, value, truncate=truncate and not on_a_page)

    validation._validate_length_limit = cut_only_for_programs

    # One request would delete the files of everyone.

    @flask_app.before_request
    def keep_the_artifact_store():
        path = (request.view_args or {}).get("artifact_path", "")
        if request.method == "DELETE" and path and not posixpath.normpath(path).strip("/."):
            message = "The whole artifact store cannot be deleted: name what is in it."
            return {"error_code": "INVALID_PARAMETER_VALUE", "message": message}, HTTPStatus.BAD_REQUEST
        return None

    # MLflow decodes the name of an artifact until nothing changes, and parses it as a URL: %20 in it becomes a blank,
    # and a newline %0a; a # is refused. The name is kept as the client sent it, or refused with the reason.

    def keep_the_name(path):
        names = path.split("/")
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
            reason = "it has a control character, such as a newline"
        elif path.startswith("/") or ".." in names:
            reason = "it leads out of its folder"
        elif posixpath.normpath(path).split("/")[0] == WORKSHOP:
            reason = "a restore keeps there what it replaces"
        elif any(len(name.encode()) > LONGEST_NAME for name in names):
            reason = f"it has more than {LONGEST_NAME} bytes"
        else:
            return path
        raise MlflowException.invalid_parameter_value(
            f"Invalid path: {path!r} cannot be the name of an artifact, {reason}."
        )

    # Older versions have no router for artifacts.
    router = sys.modules.get("mlflow.server.artifact_router")
    for module in filter(None, (handlers, router, local_artifact_repo)):
        module.validate_path_is_safe = keep_the_name

    # It deletes a file by a name that it decodes once more: another one.
    decode = local_artifact_repo.local_file_uri_to_path
    local_artifact_repo.local_file_uri_to_path = lambda uri: decode(uri) if uri.startswith("file:") else uri

    # A client that does not quote names cuts them at a ?, and would store, get or delete another artifact.

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

    # Without the first experiment every run that names none would fail, and its page could not bring it back.

    delete_experiment = SqlAlchemyStore.delete_experiment

    def keep_the_first_experiment(store, experiment_id):
        if str(experiment_id) == SqlAlchemyStore.DEFAULT_EXPERIMENT_ID:
            raise MlflowException.invalid_parameter_value(
                "The experiment Default cannot be deleted, it takes the runs that name no experiment: delete its runs."
            )
        return delete_experiment(store, experiment_id)

    SqlAlchemyStore.delete_experiment = keep_the_first_experiment

    # By default the pages open on what is for language models, with dialogs and an assistant over them. A file of its
    # own, as a strict policy for scripts lets no others run.

    choices = FIRST_CHOICES | (NO_TELEMETRY if MLFLOW_DISABLE_TELEMETRY.get() else {})
    program = CHOOSE % json.dumps([(name, json.dumps(choice)) for name, choice in choices.items()])
    page = Path(flask_app.static_folder, "index.html").read_text(encoding="utf-8")
    page = page.replace("<head>", f'<head><script src="{CHOICES_PATH}"></script>{NO_ASSISTANT}', 1)
    # A page without traces would have its browser fetch a film from MLflow's site.
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": "media-src 'self' blob: data:"}
    flask_app.view_functions["serve"] = lambda: Response(page, headers=headers)

    @flask_app.route(f"/{CHOICES_PATH}")
    def first_choices():
        return Response(program, mimetype="text/javascript", headers={"Cache-Control": "no-cache"})

    # A page of runs is asked for with DISTINCT, for which Postgres sorts all runs of an experiment with all it knows
    # of them. None comes twice: of the metrics, params and tags that are joined, a run has one of a name. Only data
    # sets could make it two.

    @event.listens_for(Engine, "before_cursor_execute", retval=True)
    def find_a_page_without_sorting_all_runs(_connection, _cursor, statement, parameters, _context, _executemany):
        if statement.startswith("SELECT DISTINCT runs.") and " inputs" not in statement:
            statement = statement.replace("DISTINCT ", "", 1)
        return statement, parameters

    # The last one is asked first.
    app.add_middleware(guard.Guard, origins=origins)

    # The health check asks every ten seconds; what people look for in the log would drown in that.
    logging.getLogger("uvicorn.access").addFilter(is_worth_a_line)

    return app


def is_worth_a_line(record):
    """Return whether an entry of uvicorn's access log is about anything but a health check that succeeded.

    Its arguments are the address of the client, the method, the path, the version of HTTP, and the status.
    """
    client, _method, path, _version, status = record.args
    return not (client.startswith("127.0.0.1:") and path == ROUTE and status == HTTPStatus.OK)
