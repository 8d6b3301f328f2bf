import json
from pathlib import Path

import mlflow


class Vocabulary(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.words = json.loads(Path(context.artifacts["words"]).read_text())

    def predict(self, model_input: list[str]) -> list[int]:
        return [self.words.get(word, -1) for word in model_input]


mlflow.set_experiment("pyfunc artifacts")
Path("words.json").write_text('{"ja": 1, "nein": 0}')
with mlflow.start_run():
    info = mlflow.pyfunc.log_model(
        name="vocabulary", python_model=Vocabulary(), artifacts={"words": "words.json"}, input_example=["ja"]
    )
assert mlflow.pyfunc.load_model(info.model_uri).predict(["nein", "ja", "?"]) == [0, 1, -1]
