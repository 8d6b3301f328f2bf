"""Crash services of a toolbox while clients write."""

import json
import subprocess
import time

from tests.support.waiting import TIMEOUT_SECONDS, until


def while_writing(command, rows, minimum, fault, answers, stop, **options):
    """Cause a fault while a program writes; return the JSON in its last line, and the seconds until `answers()` held.

    The program must write more than `minimum` rows before and after the fault, as `rows()` counts them, and end after
    `stop()`.
    """
    before = rows()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as writers:
        try:
            until(lambda: rows() > before + minimum, "the writers write")
            fault()
            start = time.monotonic()
            until(answers, "MLflow answers")
            seconds = time.monotonic() - start
            recovered = rows()
            until(lambda: rows() > recovered + minimum, "the writers write again")
        finally:
            stop()
        return json.loads(writers.communicate(timeout=TIMEOUT_SECONDS)[0].splitlines()[-1]), seconds


def kill(toolbox, *pids):
    """Kill processes by their PIDs on the host: Docker treats this as a crash, unlike `docker kill`."""
    base = toolbox.inspect("mlflow")["Config"]["Image"]
    privileges = ("--pid", "host", "--user", "0", "--cap-add", "KILL", "--entrypoint", "sh")
    killed = toolbox.run("docker", "run", "--rm", *privileges, base, "-c", f"kill -9 {' '.join(map(str, pids))}")
    assert killed.returncode == 0, killed.stderr


def main_process(toolbox, service):
    """Return the PID on the host of a service's first process."""
    return toolbox.inspect(service)["State"]["Pid"]


def workers(toolbox):
    """Return the PIDs on the host of MLflow's workers: the children of the process that loaded it."""
    listed = toolbox.run("docker", "top", toolbox.container("mlflow"), "-o", "pid,ppid,args").stdout.splitlines()
    processes = [line.split(maxsplit=2) for line in listed[1:]]
    parents = {pid: parent for pid, parent, command in processes if command == "python /opt/mlflow/start.py"}
    return [pid for pid, parent in parents.items() if parent in parents]
