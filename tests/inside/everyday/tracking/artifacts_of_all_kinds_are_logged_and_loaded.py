from pathlib import Path

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd

mlflow.set_experiment("all kinds")
Path("folder/deep").mkdir(parents=True)
Path("folder/deep/notes.md").write_text("# Notes")
figure, axes = plt.subplots()
axes.plot([1, 2, 3])
with mlflow.start_run(description="all that can be logged", tags={"team": "a"}) as run:
    mlflow.log_text("grüß dich", "texts/greeting.txt")
    mlflow.log_dict({"ä": [1, 2.5, None]}, "config.json")
    mlflow.log_figure(figure, "plots/line.png")
    mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "black.png")
    mlflow.log_table(pd.DataFrame({"q": ["a", "b"], "score": [1.0, np.nan]}), "table.json")
    mlflow.log_artifact("folder/deep/notes.md")
    mlflow.log_artifacts("folder", "copied")
base = f"runs:/{run.info.run_id}"
assert mlflow.artifacts.load_text(f"{base}/texts/greeting.txt") == "grüß dich"
assert mlflow.artifacts.load_dict(f"{base}/config.json") == {"ä": [1, 2.5, None]}
assert mlflow.artifacts.load_image(f"{base}/black.png").size == (4, 4)
assert mlflow.load_table("table.json", [run.info.run_id])["q"].tolist() == ["a", "b"]
assert mlflow.artifacts.load_text(f"{base}/copied/deep/notes.md") == "# Notes"
assert Path(mlflow.artifacts.download_artifacts(f"{base}/plots/line.png")).read_bytes()[1:4] == b"PNG"
