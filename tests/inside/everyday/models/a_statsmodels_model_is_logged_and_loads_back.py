import mlflow
import numpy as np
import statsmodels.api as sm

mlflow.set_experiment("statsmodels")
x = sm.add_constant(np.arange(20.0))
model = sm.OLS(x[:, 1] * 3 + 1, x).fit()
with mlflow.start_run():
    mlflow.log_text(str(model.summary()), "summary.txt")
    info = mlflow.statsmodels.log_model(model, name="model")
loaded = mlflow.statsmodels.load_model(info.model_uri)
assert np.allclose(loaded.params, [1, 3])
