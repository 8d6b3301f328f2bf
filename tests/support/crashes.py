"""Crashing what runs in a toolbox, while others write."""

import json
import subprocess
import time

from tests.support.waiting import PATIENCE_SECONDS, until


def while_writing(command, rows, least, fault, answers, stop, **options):
    """Have a fault while a program writes; return the JSON in the last line that it prints, and the seconds until
    `answers()` held.

    The program has to write more than `least` rows before and after, as `rows()` counts them, and ends after `stop()`.
    """
    before = rows()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as writers:
        try:
            until(lambda: rows() > before + least, "the writers write")
            fault()
            start = time.monotonic()
            until(answers, "MLflow answers")
            seconds = time.monotonic() - start
            came_back = rows()
            until(lambda: rows() > came_back + least, "the writers write again")
        finally:
            stop()
        return json.loads(writers.communicate(timeout=PATIENCE_SECONDS)[0].splitlines()[-1]), seconds


def kill(toolbox, *pids):
    """Kill processes of the host: for Docker a crash, which `docker kill` is not."""
    base = toolbox.inspect("mlflow")["Config"]["Image"]
    strong = ("--pid", "host", "--user", "0", "--cap-add", "KILL", "--entrypoint", "sh")
    killed = toolbox.run("docker", "run", "--rm", *strong, base, "-c", f"kill -9 {' '.join(map(str, pids))}")
    assert killed.returncode == 0, killed.stderr


def main_process(toolbox, service):
    """Return the process of the host that is the first of a service."""
    return toolbox.inspect(service)["State"]["Pid"]


def workers(toolbox):
    """Return the processes of the host that serve MLflow's requests: the children of the one that loaded it."""
    listed = toolbox.run("docker", "top", toolbox.container("mlflow"), "-o", "pid,ppid,args").stdout.splitlines()
    processes = [line.split(maxsplit=2) for line in listed[1:]]
    parents = {pid: parent for pid, parent, command in processes if command == "python /opt/mlflow/start.py"}
    return [pid for pid, parent in parents.items() if parent in parents]
