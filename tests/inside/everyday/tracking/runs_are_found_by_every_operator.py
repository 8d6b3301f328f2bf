import mlflow

FOUND = """
metrics.loss = 0.5: 1
metrics.loss != 0.5: 0 2 3
metrics.loss < 0.5: 0
metrics.loss <= 0.5: 0 1
metrics.loss > 1: 3
metrics.loss >= 1: 2 3
params.model = 'CNN': 0
params.model != 'CNN': 1 2 3
params.model LIKE 'cnn%': 1
params.model ILIKE 'cnn%': 0 1
tags.`has space` = 'forest': 2
run_name LIKE 'run %': 0 1 2 3
params.model IS NOT NULL: 0 1 2 3
tags.none IS NULL AND params.number = '2': 2
attributes.status = 'FINISHED' AND start_time > 0: 0 1 2 3
metrics.loss > 0 AND params.model ILIKE '%n%' and status != 'FAILED': 1
metrics.`loss` > 0.9 AND tags.`has space` LIKE 'f%': 2
"""
experiment = mlflow.set_experiment("operators").experiment_id
for number, model in enumerate(["CNN", "cnn small", "forest", "100%_sure"]):
    with mlflow.start_run(run_name=f"run {number}"):
        mlflow.log_params({"model": model, "number": number})
        mlflow.log_metric("loss", number / 2)
        mlflow.set_tag("has space", model)
for line in FOUND.strip().splitlines():
    text, numbers = line.rsplit(": ", 1)
    runs = mlflow.search_runs([experiment], text, order_by=["params.number"], output_format="list")
    assert [run.data.params["number"] for run in runs] == numbers.split(), text
