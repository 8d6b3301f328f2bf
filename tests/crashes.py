"""Crashing what runs in a toolbox."""


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
    """Return the processes of the host that serve MLflow's requests."""
    processes = toolbox.run("docker", "top", toolbox.container("mlflow"), "-o", "pid,args").stdout.splitlines()
    return [line.split()[0] for line in processes if "spawn_main" in line]
