import mlflow
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

mlflow.set_experiment("evaluate")
X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
with mlflow.start_run() as run:
    model = LogisticRegression(max_iter=5000).fit(X_train, y_train)
    info = mlflow.sklearn.log_model(model, name="model", input_example=X_train.head(1))
    data = X_test.assign(label=y_test)
    result = mlflow.models.evaluate(info.model_uri, data, targets="label", model_type="classifier")
assert result.metrics["accuracy_score"] > 0.9
assert "roc_curve_plot.png" in {item.path for item in mlflow.MlflowClient().list_artifacts(run.info.run_id)}
