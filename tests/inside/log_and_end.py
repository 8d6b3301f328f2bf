"""Log metrics and end in one of many ways. Prints the ID of each run as a line of JSON.

Argument: the name of one of the functions below.
"""

import atexit
import json
import multiprocessing
import os
import sys
import threading

import joblib
import mlflow

POINTS = 50


def start():
    """Start a run, print its ID and return it."""
    run = mlflow.start_run().info.run_id
    print(json.dumps(run), flush=True)
    return run


def log():
    """Log points to the active run."""
    for step in range(POINTS):
        mlflow.log_metric("m", step, step=step)


def ends():
    """End normally, without `with` or end_run()."""
    start()
    log()


def raises():
    """End with an exception."""
    ends()
    raise RuntimeError


def exits():
    """End with sys.exit."""
    ends()
    sys.exit(1)


def logs_at_exit():
    """Log as late as possible: the handler that is registered first runs last."""
    start()
    atexit.register(log)


def threads():
    """Log eight runs from threads that the program does not wait for."""

    def one():
        with mlflow.start_run() as run:
            print(json.dumps(run.info.run_id), flush=True)
            log()

    for _ in range(8):
        threading.Thread(target=one).start()


def forks():
    """Log from a forked child after the parent has logged, and from the parent again."""
    ends()
    child = os.fork()
    if child == 0:
        ends()
        sys.exit()
    os.waitpid(child, 0)
    mlflow.log_metric("after", 1)


def log_to(run):
    """Log points to a run that another process ends."""
    for step in range(POINTS):
        mlflow.MlflowClient().log_metric(run, f"m{os.getpid()}", step, step=step, synchronous=False)


def workers():
    """Log to one run from five kinds of worker processes, twice from each, and from this process."""
    run = start()
    log()
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            pool.map(log_to, [run, run], chunksize=1)
    processes = [multiprocessing.Process(target=log_to, args=[run]) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    joblib.Parallel(2)(joblib.delayed(log_to)(run) for _ in range(2))


def logs_rejected_values():
    """Log rejected values among valid ones; print what wait() raises for a changed param."""
    start()
    for step in range(POINTS - 1):
        mlflow.log_metric("m", step, step=step)
        if step == POINTS // 2:
            mlflow.log_metric("a bad * name", 1)
            mlflow.log_metric("long" * 100, 1)
            mlflow.log_metric("a far step", 1, step=2**63)
            mlflow.log_metric("not a number", float("nan"))
    mlflow.log_params({"good": 1, "a bad \0 param": 2, "changed": 3})
    mlflow.set_tags({"good": 1, "a bad \0 tag": 2})
    changed = mlflow.log_param("changed", 4)
    try:
        changed.wait()
    except mlflow.MlflowException as error:
        print(json.dumps(str(error)))


def waits():
    """Log, and log again after a line on standard input; print when that is done."""
    start()
    log()
    sys.stdin.readline()
    mlflow.log_metric("meanwhile", 1)
    print("logged", flush=True)


# Spawned processes import this file.
if __name__ == "__main__":
    globals()[sys.argv[1]]()
