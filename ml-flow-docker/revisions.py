"""Print the version of MLflow and all revisions of its tables, the current one first.

It runs when the image is built, because at every start it would have to load all of MLflow.
"""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from alembic.script import ScriptDirectory

folder = Path(find_spec("mlflow").origin).parent / "store" / "db_migrations"
print(version("mlflow"), *(script.revision for script in ScriptDirectory(str(folder)).walk_revisions()))
