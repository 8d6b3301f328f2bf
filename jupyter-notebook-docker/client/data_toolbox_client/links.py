"""Print MLflow's address for the browser instead of its internal one."""

import functools

from mlflow.environment_variables import MLFLOW_NOTEBOOK_TRACE_RENDERER_BASE_URL


def change(display_utils):
    """Make mlflow.genai.evaluate() print links with the address that traces below cells use."""
    resolve = display_utils._resolve_evaluation_results_url

    @functools.wraps(resolve)
    def resolve_for_the_browser(store, run):
        inside = store.get_host_creds().host.rstrip("/")
        return resolve(store, run).replace(inside, MLFLOW_NOTEBOOK_TRACE_RENDERER_BASE_URL.get() or inside, 1)

    display_utils._resolve_evaluation_results_url = resolve_for_the_browser
