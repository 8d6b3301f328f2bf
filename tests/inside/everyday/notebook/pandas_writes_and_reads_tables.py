import numpy as np
import pandas as pd
from sqlalchemy import create_engine

engine = create_engine("postgresql:///datasets")
table = pd.DataFrame(
    {
        "name": ["Ä", "学", None],
        "value": [1.5, np.nan, np.inf],
        "day": pd.to_datetime(["2026-01-01 00:00:00.0", None, "2026-12-31 23:59:59.5"]),
        "zoned": pd.date_range("2026-03-29", periods=3, tz="Europe/Berlin"),
        "count": pd.array([1, None, 3], dtype="Int64"),
        "flag": [True, False, True],
    }
)
table.to_sql("everyday_table", engine, if_exists="replace", index=False)
table.to_sql("everyday_table", engine, if_exists="append", index=False, method="multi", chunksize=2)
found = pd.read_sql_table("everyday_table", engine)
assert len(found) == 6
assert found["name"].isna().sum() == 2 and set(found["name"].dropna()) == {"Ä", "学"}
assert np.isinf(found["value"]).sum() == 2 and found["value"].isna().sum() == 2
assert found["day"].dropna().max() == table["day"].max()
assert (found["zoned"].dt.tz_convert("Europe/Berlin")[:3] == table["zoned"]).all()
assert sum(len(part) for part in pd.read_sql("SELECT * FROM everyday_table", engine, chunksize=4)) == 6
