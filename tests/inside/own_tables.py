"""Save a table in the database datasets with pandas and SQLAlchemy, and print it as JSON after reading it back."""

import sys

import pandas as pd
from sqlalchemy import create_engine

engine = create_engine("postgresql+psycopg2:///datasets")
pd.DataFrame({"name": ["é", "b"], "value": [1.5, 2.5]}).to_sql("mine", engine, if_exists="replace", index=False)
pd.read_sql("SELECT name, value FROM mine ORDER BY value", engine).to_json(sys.stdout, orient="values")
