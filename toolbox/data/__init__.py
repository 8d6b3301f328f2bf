"""The data of a toolbox: backups, restores, upgrades, and deleting what was deleted in MLflow."""

from . import backup, gc, restore  # noqa: F401
