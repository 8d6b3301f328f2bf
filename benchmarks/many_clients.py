"""The throughput of concurrent clients: a mix of log-metric, log-parameter and log-batch of 10 metrics."""

from benchmarks import memory, stacks

ADDRESS = "http://mlflow:5000"
CLIENTS = (4, 16, 100)


def measure(sides, table, quick):
    """Add the requests per second, p99 and errors for each number of clients, and the memory afterwards."""
    rounds, seconds = (1, 5) if quick else (3, 20)
    for number, side in stacks.in_turn(sides, rounds):
        load(side, 4, 2)
        for clients in CLIENTS:
            result = load(side, clients, seconds)
            done = sum(len(steps) for run in result["acknowledged"].values() for steps in run.values())
            for what, unit, value in (
                ("", "requests/s", done / result["seconds"]),
                (", p99", "ms", result["p99"] * 1000),
                (", errors", "errors", result["failed"]),
            ):
                table.add("many clients", f"{clients} clients{what}", unit, side.name, value)
        if number == rounds - 1:
            memory.add(table, side, "after the load")


def load(side, clients, seconds):
    """Let `clients` write concurrently for some seconds; return what log_http.py prints."""
    return side.in_container("notebook", "log_http.py", ADDRESS, clients, seconds, "/nonexistent")
