"""Serve models, and predict with them, in the current Python instead of one that MLflow installs with pyenv."""

import functools
import shutil

from mlflow.utils import env_manager


def change(module):
    """Make the backend in the module `mlflow.pyfunc.backend` work without pyenv if there is none."""
    for name in ("serve", "predict"):
        setattr(module.PyFuncBackend, name, without_pyenv(getattr(module.PyFuncBackend, name)))


def without_pyenv(method):
    """Return a method of the backend that uses the current Python if pyenv is required but missing.

    Predictions with other packages or variables need a separate environment and are left to MLflow.
    """

    @functools.wraps(method)
    def run(self, *args, **kwargs):
        special = kwargs.get("pip_requirements_override") or kwargs.get("extra_envs")
        if self._env_manager == env_manager.VIRTUALENV and not special and not shutil.which("pyenv"):
            self._env_manager = env_manager.LOCAL
        return method(self, *args, **kwargs)

    return run
