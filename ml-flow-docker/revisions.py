"""Print the version of MLflow and the revisions that its tables can have, the present one first.

It is run when the image is made: at every start this would take the time to load all of MLflow.
"""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from alembic.script import ScriptDirectory

folder = Path(find_spec("mlflow").origin).parent / "store" / "db_migrations"
print(version("mlflow"), *(script.revision for script in ScriptDirectory(str(folder)).walk_revisions()))
