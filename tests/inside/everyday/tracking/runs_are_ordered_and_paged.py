import mlflow

experiment = mlflow.set_experiment("pages").experiment_id
client = mlflow.MlflowClient()
for number in range(25):
    run = client.create_run(experiment, run_name=f"run {number:02}")
    client.log_metric(run.info.run_id, "score", number % 5)
    client.log_param(run.info.run_id, "number", number)
seen, token = [], None
while True:
    order = ["metrics.score DESC", "attributes.run_name ASC"]
    page = client.search_runs([experiment], order_by=order, max_results=10, page_token=token)
    seen += [run.info.run_name for run in page]
    if not (token := page.token):
        break
assert seen == sorted(seen, key=lambda name: (-(int(name[4:]) % 5), name))
assert len(set(seen)) == 25
