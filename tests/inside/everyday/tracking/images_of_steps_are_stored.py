import mlflow
import numpy as np
from PIL import Image

mlflow.set_experiment("images")
with mlflow.start_run() as run:
    for step in range(3):
        mlflow.log_image(Image.new("RGB", (8, 8), (step * 100, 0, 0)), key="generated sample", step=step)
    mlflow.log_image(np.random.default_rng(0).random((8, 8)), "noise.png")
files = [item.path for item in mlflow.MlflowClient().list_artifacts(run.info.run_id, "images")]
assert len([path for path in files if path.endswith(".png")]) == 3
assert mlflow.artifacts.load_image(f"runs:/{run.info.run_id}/noise.png").size == (8, 8)
