import matplotlib.pyplot as plt
import mlflow
import numpy as np

mlflow.set_experiment("kinds of names")
NAMES = ["fold #1", "what?", "50% sure", "a%20b", "Größe 🎉"]
with mlflow.start_run() as run:
    for number, name in enumerate(NAMES):
        mlflow.log_dict({"n": number}, f"{name}.json")
        mlflow.log_table({"n": [number]}, f"{name} table.json")
        mlflow.log_image(np.full((2, 2, 3), number, dtype=np.uint8), f"{name}.png")
        mlflow.log_figure(plt.figure(), f"{name}/figure.png")
for number, name in enumerate(NAMES):
    base = f"runs:/{run.info.run_id}"
    assert mlflow.artifacts.load_dict(f"{base}/{name}.json") == {"n": number}
    assert mlflow.load_table(f"{name} table.json", [run.info.run_id])["n"].tolist() == [number]
    assert mlflow.artifacts.load_image(f"{base}/{name}.png").getpixel((0, 0)) == (number,) * 3
    assert mlflow.artifacts.load_image(f"{base}/{name}/figure.png").size
