from pathlib import Path

import altair
import mlflow
import pandas as pd
from bokeh.plotting import figure, output_file, save

table = pd.DataFrame({"x": range(5), "y": [3, 1, 4, 1, 5]})
altair.Chart(table, title="größe").mark_line().encode(x="x", y="y").save("altair.html")
plot = figure(title="学習")
plot.line(table["x"], table["y"])
output_file("bokeh.html", mode="inline")
save(plot)
mlflow.set_experiment("charts")
with mlflow.start_run() as run:
    mlflow.log_artifact("altair.html")
    mlflow.log_artifact("bokeh.html")
paths = {item.path: item.file_size for item in mlflow.MlflowClient().list_artifacts(run.info.run_id)}
assert paths["bokeh.html"] == Path("bokeh.html").stat().st_size > 10_000
page = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/altair.html")
assert page == Path("altair.html").read_text()
assert "vega" in page
