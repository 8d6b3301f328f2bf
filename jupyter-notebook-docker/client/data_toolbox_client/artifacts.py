"""Artifacts keep their names, including special characters.

MLflow inserts names into URLs and URIs unquoted, so the part after a # or ? is lost and %20 becomes a space: files
overwrite each other. Here names are quoted before they enter a URL, and before MLflow parses a URI. The server keeps
them, see ml-flow-docker/app.py.
"""

import functools
import json
from types import SimpleNamespace
from unicodedata import category
from urllib.parse import quote, unquote

from mlflow.exceptions import MlflowException
from mlflow.store.artifact import http_artifact_repo
from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository
from mlflow.utils.credentials import get_default_host_creds

# Other schemes, for local files and cloud storage, keep names.
SCHEMES = ("runs:", "models:", "mlflow-artifacts:")


def quote_path(path):
    """Return a path or URI with special characters quoted; `unquote` reverses it."""
    if any(category(letter) in ("Cc", "Cs") for letter in path):
        message = (
            f"{path!r} cannot be the name of an artifact: it has a control character, or is not UTF-8. Rename the file."
        )
        raise MlflowException.invalid_parameter_value(message)
    return quote(path, safe="/:@")


def quoting(parse):
    """Wrap a function that splits the URI of an artifact into two parts, so that it does not decode them."""

    @functools.wraps(parse)
    def parse_quoted(uri):
        if not str(uri).startswith(SCHEMES):
            return parse(uri)
        return tuple(part and unquote(part) for part in parse(quote_path(str(uri))))

    return parse_quoted


def change(artifact_utils):
    """Change mlflow.tracking.artifact_utils, once it is imported."""
    artifact_utils._get_root_uri_and_artifact_path = quoting(artifact_utils._get_root_uri_and_artifact_path)


def change_client(client):
    """Change mlflow.tracking.client, once it is imported: log_table records names as load_table expects them."""
    client.json = SimpleNamespace(**vars(json) | {"dumps": functools.partial(json.dumps, ensure_ascii=False)})


RunsArtifactRepository.parse_runs_uri = staticmethod(quoting(RunsArtifactRepository.parse_runs_uri))
ModelsArtifactRepository.split_models_uri = staticmethod(quoting(ModelsArtifactRepository.split_models_uri))

request = http_artifact_repo.http_request


@functools.wraps(request)
def request_quoted(host_creds, endpoint, *args, **kwargs):
    """Request an artifact with its path quoted."""
    return request(host_creds, quote_path(endpoint), *args, **kwargs)


http_artifact_repo.http_request = request_quoted
# It would decode the names that the server lists. Downloads check for path traversal themselves.
http_artifact_repo.validate_path_is_safe = str


class QuotingArtifactsRepository(MlflowArtifactsRepository):
    """Artifacts of an MLflow server. Paths are quoted only in requests."""

    @classmethod
    def resolve_uri(cls, artifact_uri, tracking_uri):
        """Return the unquoted URI of an artifact."""
        return unquote(super().resolve_uri(quote_path(artifact_uri), tracking_uri))

    @property
    def _host_creds(self):
        return get_default_host_creds(quote_path(self.artifact_uri))
