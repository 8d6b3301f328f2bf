"""What the MLflow client of the notebook does differently from MLflow's own.

MLflow imports this package for its entry points, in every process that imports MLflow. What changes a module of MLflow waits
until that module is imported, so that `import mlflow` takes no longer.
"""

from mlflow.utils.import_hooks import register_post_import_hook

for name in ("sklearn", "lightgbm", "pytorch", "pyfunc.model"):
    register_post_import_hook("data_toolbox_client.models:change", f"mlflow.{name}")
register_post_import_hook("data_toolbox_client.artifacts:change", "mlflow.tracking.artifact_utils")
register_post_import_hook("data_toolbox_client.serving:change", "mlflow.pyfunc.backend")
