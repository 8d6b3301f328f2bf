import mlflow
import numpy as np
from skimage import data, filters, io

picture = data.camera()
edges = filters.sobel(picture)
io.imsave("edges.png", (edges / edges.max() * 255).astype(np.uint8))
mlflow.set_experiment("skimage")
with mlflow.start_run() as run:
    mlflow.log_artifact("edges.png", "ränder")
    mlflow.log_image(edges / edges.max(), "float.png")
loaded = io.imread(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/ränder/edges.png"))
assert loaded.shape == picture.shape
