"""Use the database through SQLAlchemy and pandas, at the URL in the argument; print the results as JSON.

Writes a table of three rows, and reads it with a query that has a % and parameters.
"""

import json
import sys

import pandas as pd
from sqlalchemy import create_engine, text

engine = create_engine(sys.argv[1])
table = pd.DataFrame({"name": ["a%", "b", "ü"], "value": [1.5, None, 3.0]})
table.to_sql("rows_to_query", engine, if_exists="replace", index=False)
query = text("SELECT name FROM rows_to_query WHERE name LIKE '%' AND value > :least ORDER BY value")
with engine.begin() as connection:
    user, database = connection.execute(text("SELECT current_user, current_database()")).one()
names = pd.read_sql(query, engine, params={"least": 1})["name"].tolist()
with engine.begin() as connection:
    connection.execute(text("DROP TABLE rows_to_query"))
engine.dispose()
print(json.dumps([user, database, names]))
