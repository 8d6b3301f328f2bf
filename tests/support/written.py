"""Compare the output of tests/inside/log_http.py with the database."""

from collections import defaultdict

# As in log_http.py.
BATCH = 10


def acknowledged(written):
    """Return the acknowledged requests, as (run, kind, step)."""
    return {
        (run, kind, step)
        for run, kinds in written["acknowledged"].items()
        for kind, steps in kinds.items()
        for step in steps
    }


def stored(copy, written):
    """Return the acknowledged requests of which every row is in the database."""
    runs = ", ".join(f"'{run}'" for run in written["acknowledged"])
    metrics, params = (
        [
            line.split("\t")
            for line in copy.psql(
                "analyst", "mlflow", f"COPY (SELECT {columns} WHERE run_uuid IN ({runs})) TO STDOUT"
            ).splitlines()
        ]
        for columns in ("run_uuid, key, step FROM metrics", "run_uuid, key FROM params")
    )
    requests = {(run, "param", int(key.removeprefix("param"))) for run, key in params}
    batches = defaultdict(set)
    for run, key, step in metrics:
        if key == "metric":
            requests.add((run, "metric", int(step)))
        else:
            batches[run, "batch", int(step)].add(key)
    requests |= {request for request, keys in batches.items() if len(keys) == BATCH}
    return acknowledged(written) & requests
