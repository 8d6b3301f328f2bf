"""How fast a large file is uploaded and downloaded, and how much memory the server needs for that."""

from benchmarks import stacks

MIB = 1024**2


def measure(sides, table, quick):
    """Add the megabytes per second of upload and download, and the server's peak memory."""
    megabytes = 100 if quick else 1000
    for _, side in stacks.in_turn(sides, 1 if quick else 3):
        with side.sampled_memory("mlflow") as samples:
            seconds = side.in_container("notebook", "send_file.py", megabytes)
        for direction in ("up", "down"):
            table.add("artifacts", f"a large file {direction}", "MB/s", side.name, megabytes / seconds[direction])
        table.add("artifacts", "mlflow, memory meanwhile", "MiB", side.name, max(samples) / MIB)
