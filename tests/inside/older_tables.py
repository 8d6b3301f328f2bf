"""Create MLflow's tables as an older version had them, in an empty database, and print their revision.

Argument: host and database, such as postgres/older.
"""

import sys

from alembic import command
from alembic.script import ScriptDirectory
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base
from sqlalchemy import create_engine

REVISIONS_BACK = 30

uri = f"postgresql+psycopg2://mlflow@{sys.argv[1]}"
config = _get_alembic_config(uri)
revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
Base.metadata.create_all(create_engine(uri))
command.upgrade(config, revisions[REVISIONS_BACK])
print(revisions[REVISIONS_BACK])
