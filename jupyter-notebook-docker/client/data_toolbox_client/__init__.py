"""Changes to the MLflow client in the notebook.

MLflow imports this package by its entry points, in every process that imports MLflow. Modules of MLflow are patched
when they are imported, so that `import mlflow` takes no longer.
"""

from mlflow.utils.import_hooks import register_post_import_hook

from data_toolbox_client.messages import hide_advice

CHANGES = {
    "artifacts:change": ["tracking.artifact_utils"],
    "artifacts:change_client": ["tracking.client"],
    "links:change": ["genai.utils.display_utils"],
    "messages:print_results": ["store.model_registry.abstract_store", "tracking._model_registry.fluent"],
    "serving:change": ["pyfunc.backend"],
    "models:change": ["sklearn", "lightgbm", "pytorch", "pyfunc.model"],
}

for change, modules in CHANGES.items():
    for module in modules:
        register_post_import_hook(f"data_toolbox_client.{change}", f"mlflow.{module}")
hide_advice()
