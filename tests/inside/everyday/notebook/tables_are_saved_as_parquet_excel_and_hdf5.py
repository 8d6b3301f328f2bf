import numpy as np
import pandas as pd

table = pd.DataFrame(
    {
        "name": ["Ä", "学", "🎉"],
        "value": [1.5, np.nan, -2],
        "day": pd.to_datetime(["2026-01-01", "2026-02-01", "2026-03-01"]),
    }
)
table.to_parquet("table.parquet")
table.to_excel("table.xlsx", index=False, sheet_name="größe")
table.to_hdf("table.h5", key="table", mode="w")
table.to_feather("table.feather")
table.to_pickle("table.pkl.xz")
table.to_csv("table.csv.gz", index=False)
assert pd.read_parquet("table.parquet").equals(table)
sheet = pd.read_excel("table.xlsx", sheet_name="größe")
assert sheet["name"].equals(table["name"])
assert (sheet["day"] == table["day"]).all()
assert pd.read_hdf("table.h5", "table")["value"].equals(table["value"])
assert pd.read_feather("table.feather").equals(table)
assert pd.read_pickle("table.pkl.xz").equals(table)
assert pd.read_csv("table.csv.gz")["name"].tolist() == table["name"].tolist()
