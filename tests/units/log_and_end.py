"""Log 50 points of a metric, or more, in one of many ways, and end in one of many ways; print the runs as JSON lines."""

import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time

import mlflow
from mlflow import MlflowClient

POINTS = 50


def log(count=POINTS, name="m"):
    """Log as many points to the active run."""
    for step in range(count):
        mlflow.log_metric(name, step, step=step)


def start():
    """Start a run and print its id."""
    run = mlflow.start_run().info.run_id
    print(json.dumps(run), flush=True)
    return run


def ends():
    start()
    log()


def raises():
    ends()
    raise RuntimeError("as programs do")


def exits():
    ends()
    sys.exit(3)


def ends_in_a_with_block():
    with mlflow.start_run() as run:
        print(json.dumps(run.info.run_id), flush=True)
        log()


def a_thread():
    ends_in_a_with_block()


def threads():
    running = [threading.Thread(target=a_thread) for _ in range(8)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def threads_that_main_does_not_wait_for():
    for _ in range(8):
        threading.Thread(target=a_thread).start()


def forks():
    start()
    log(10)
    child = os.fork()
    if child == 0:
        start()
        log(100)
        sys.exit()
    os.waitpid(child, 0)
    log(POINTS - 10, "more")


def log_to(run):
    """Log to a run of the parent, without its end."""
    for step in range(POINTS):
        MlflowClient().log_metric(run, f"child{os.getpid()}", step, step=step, synchronous=False)


def processes():
    run = start()
    log()
    for method in ("fork", "spawn", "forkserver"):
        process = multiprocessing.get_context(method).Process(target=log_to, args=[run])
        process.start()
        process.join()


def pools():
    run = start()
    log()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(log_to, [run] * 2, chunksize=1)
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(2) as pool:
        list(pool.map(log_to, [run] * 2))


def joblib_():
    import joblib

    run = start()
    log()
    joblib.Parallel(2)(joblib.delayed(log_to)(run) for _ in range(2))


def logs_at_exit():
    import atexit

    start()
    atexit.register(log)


def refused():
    start()
    log(25)
    for name, value in (("a*b?\0", 1), ("x" * 300, 1), ("nan", float("nan")), ("m", 25)):
        mlflow.log_metric(name, value, step=25)
    mlflow.log_metric("far", 1, step=2**63)
    mlflow.log_param("p", 1)
    again = mlflow.log_param("p", 2)
    mlflow.log_params({"good": 1, "bad\0": 2, "fine": 3})
    mlflow.set_tags({"good": 1, "bad\0": 2})
    mlflow.log_metrics({"m": 26, "bad:/\0": 1}, step=26)
    try:
        again.wait()
    except mlflow.MlflowException as error:
        print(json.dumps(str(error)))
    for step in range(27, POINTS):
        mlflow.log_metric("m", step, step=step)


def big():
    start()
    t = time.time()
    for step in range(25_000):
        mlflow.log_metric("m" * 240, step, step=step)
    mlflow.flush_async_logging()
    print(time.time() - t, file=sys.stderr)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
