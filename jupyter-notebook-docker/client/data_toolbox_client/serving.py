"""Serve models, and predict with them, in the Python that is there, instead of one that MLflow makes with pyenv."""

import functools
import shutil

from mlflow.utils import env_manager


def change(module):
    """Have the backend in the module `mlflow.pyfunc.backend` do without pyenv where there is none."""
    for name in ("serve", "predict"):
        setattr(module.PyFuncBackend, name, without_pyenv(getattr(module.PyFuncBackend, name)))


def without_pyenv(method):
    """Return a method of the backend that runs in this Python what would end for want of a pyenv.

    What only an environment of its own can do, other packages or variables for a prediction, is left to MLflow.
    """

    @functools.wraps(method)
    def run(self, *args, **kwargs):
        special = kwargs.get("pip_requirements_override") or kwargs.get("extra_envs")
        if self._env_manager == env_manager.VIRTUALENV and not special and not shutil.which("pyenv"):
            self._env_manager = env_manager.LOCAL
        return method(self, *args, **kwargs)

    return run
