import subprocess
import sys
from pathlib import Path

import mlflow

Path("cleaning.py").write_text("def clean(text):\n    return text.strip().lower()\n")
sys.path.insert(0, ".")
import cleaning


class Cleaner(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[str]) -> list[str]:
        return [cleaning.clean(text) for text in model_input]


mlflow.set_experiment("code paths")
with mlflow.start_run():
    info = mlflow.pyfunc.log_model(name="cleaner", python_model=Cleaner(), code_paths=["cleaning.py"])
program = f"import mlflow; print(mlflow.pyfunc.load_model({info.model_uri!r}).predict([' Ab ']))"
result = subprocess.run([sys.executable, "-c", program], cwd="/", capture_output=True, text=True, check=False)
assert "['ab']" in result.stdout, result.stderr
