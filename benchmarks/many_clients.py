"""How much many clients at once get done: a mix of log-metric, log-parameter and log-batch of 10 metrics."""

from benchmarks import memory, stacks

ADDRESS = "http://mlflow:5000"
CLIENTS = (4, 16, 100)


def measure(sides, table, quick):
    """Add the requests a second, p99 and errors of each number of clients; and the memory afterwards."""
    rounds, seconds = (1, 5) if quick else (3, 20)
    for number, side in stacks.in_turn(sides, rounds):
        load(side, 4, 2)
        for clients in CLIENTS:
            found = load(side, clients, seconds)
            done = sum(len(steps) for run in found["acknowledged"].values() for steps in run.values())
            for what, unit, value in (
                ("", "requests/s", done / found["seconds"]),
                (", p99", "ms", found["p99"] * 1000),
                (", errors", "errors", found["failed"]),
            ):
                table.add("many clients", f"{clients} clients{what}", unit, side.name, value)
        if number == rounds - 1:
            memory.add(table, side, "after the load")


def load(side, clients, seconds):
    """Have as many clients write at once, for some seconds; return what log_http.py prints."""
    return side.in_container("notebook", "log_http.py", ADDRESS, clients, seconds, "/nonexistent")
