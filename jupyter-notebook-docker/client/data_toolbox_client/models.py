"""Save models in a format that supports every estimator, and explain why a model cannot be loaded."""

import functools
import logging

from mlflow.environment_variables import _BooleanEnvironmentVariable
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

# MLflow's defaults are skops and pt2, which reject forests, boosting, searches and user-defined classes, and PyTorch
# models without an example input.
SAFE_MODEL_FORMATS = _BooleanEnvironmentVariable("SAFE_MODEL_FORMATS", False)

PICKLES = {"mlflow.sklearn": "cloudpickle", "mlflow.lightgbm": "cloudpickle", "mlflow.pytorch": "pickle"}
LOADERS = {
    "mlflow.sklearn": "_load_model_from_local_file",
    "mlflow.pyfunc.model": "_load_context_model_and_signature",
    "mlflow.pytorch": "_load_model",
}


def change(module):
    """Change a module of MLflow that saves or loads models, once it is imported."""
    # Older versions pickle by default.
    if module.__name__ in PICKLES and hasattr(module, "_get_default_serialization_format"):
        pickle_by_default(module, PICKLES[module.__name__])
    if module.__name__ in LOADERS:
        explain_missing_code(module, LOADERS[module.__name__])
    # For each model, MLflow would repeat the README's warning about pickles.
    logging.getLogger(module.__name__.removesuffix(".model")).addFilter(
        lambda record: SAFE_MODEL_FORMATS.get() or "exercising caution" not in str(record.msg)
    )


def pickle_by_default(module, pickle):
    """Make `pickle` the default format of a flavor, unless SAFE_MODEL_FORMATS is true."""
    default = module._get_default_serialization_format

    @functools.wraps(default)
    def pickle_unless_safe(*export_model):
        return default(*export_model) if SAFE_MODEL_FORMATS.get() or any(export_model) else pickle

    module._get_default_serialization_format = pickle_unless_safe


def explain_missing_code(module, loader):
    """Make loading a model whose code is missing raise an MlflowException that says what to do."""
    load = getattr(module, loader)

    @functools.wraps(load)
    def load_or_explain(*args, **kwargs):
        try:
            return load(*args, **kwargs)
        except (ImportError, AttributeError) as error:
            raise MlflowException(
                f"The model cannot be loaded: {error}. A pickled model holds only the names of classes and functions "
                "from other files and packages. Install the package, or put the file next to your program, or log the "
                "model again together with the file: log_model(..., code_paths=['file.py']).",
                RESOURCE_DOES_NOT_EXIST,
            ) from error

    setattr(module, loader, load_or_explain)
