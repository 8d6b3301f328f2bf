"""How fast a large file gets to the server and back, and what memory that takes of the server."""

from benchmarks import stacks

MIB = 1024**2


def measure(sides, table, quick):
    """Add the megabytes a second up and down, and the most memory of the server meanwhile."""
    megabytes = 100 if quick else 1000
    for _, side in stacks.in_turn(sides, 1 if quick else 3):
        with side.most_memory("mlflow") as seen:
            found = side.in_container("notebook", "send_file.py", megabytes)
        for way in ("up", "down"):
            table.add("artifacts", f"a large file {way}", "MB/s", side.name, megabytes / found[way])
        table.add("artifacts", "mlflow, memory meanwhile", "MiB", side.name, max(seen) / MIB)
