"""Print the address of MLflow that a browser knows, not the one that only containers know."""

import functools

from mlflow.environment_variables import MLFLOW_NOTEBOOK_TRACE_RENDERER_BASE_URL


def change(display_utils):
    """Have mlflow.genai.evaluate() link to the address at which traces below a cell are shown too."""
    resolve = display_utils._resolve_evaluation_results_url

    @functools.wraps(resolve)
    def resolve_for_the_browser(store, run):
        inside = store.get_host_creds().host.rstrip("/")
        return resolve(store, run).replace(inside, MLFLOW_NOTEBOOK_TRACE_RENDERER_BASE_URL.get() or inside, 1)

    display_utils._resolve_evaluation_results_url = resolve_for_the_browser
