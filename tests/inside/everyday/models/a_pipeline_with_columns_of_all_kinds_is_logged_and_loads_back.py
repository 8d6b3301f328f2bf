import mlflow
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

mlflow.set_experiment("pipeline")
table = pd.DataFrame({"age": [20, None, 60, 33] * 5, "town": ["Köln", "Ulm", None, "Köln"] * 5})
table["buys"] = [0, 1, 1, 0] * 5
numbers = make_pipeline(SimpleImputer(), StandardScaler())
columns = ColumnTransformer([("n", numbers, ["age"]), ("c", OneHotEncoder(handle_unknown="ignore"), ["town"])])
pipeline = make_pipeline(columns, GradientBoostingClassifier()).fit(table[["age", "town"]], table["buys"])
with mlflow.start_run():
    info = mlflow.sklearn.log_model(pipeline, name="pipeline", input_example=table[["age", "town"]].head(2))
loaded = mlflow.pyfunc.load_model(info.model_uri)
assert (loaded.predict(table[["age", "town"]]) == table["buys"]).all()
