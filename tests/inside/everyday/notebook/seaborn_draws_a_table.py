from pathlib import Path

import mlflow
import pandas as pd
import seaborn as sns
from sklearn.datasets import load_iris

iris = load_iris(as_frame=True).frame
sns.set_theme()
grid = sns.pairplot(iris.iloc[:, [0, 1, 4]], hue="target")
mlflow.set_experiment("seaborn")
with mlflow.start_run() as run:
    mlflow.log_figure(grid.figure, "pairs.png")
    axes = sns.heatmap(iris.corr(), annot=True)
    mlflow.log_figure(axes.get_figure(), "correlation.svg")
path = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/correlation.svg")
assert "<svg" in Path(path).read_text()
assert isinstance(iris.describe(), pd.DataFrame)
