"""A Docker engine of the tests' own, which can be restarted and killed without harm to the one of the machine."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.waiting import until

PROGRAMS = ("dockerd", "unshare", "nsenter", "ip", "iptables")
CGROUPS = Path("/sys/fs/cgroup")


def missing():
    """Return what this machine lacks to run a second engine, as words; empty when it lacks nothing."""
    lacking = [program for program in PROGRAMS if shutil.which(program) is None]
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        lacking.insert(0, "root")
    return ", ".join(lacking)


class Engine:
    """A Docker engine whose data are in `folder`, in namespaces of its own.

    Its processes, networks, firewall rules and mounts are not those of the machine, and end with the namespaces.
    """

    def __init__(self, folder):
        self.folder = folder
        self.address = f"unix://{folder}/docker.sock"
        self.cgroup = f"data-toolbox-test-{os.getpid()}"
        (folder / "daemon.json").write_text("{}")
        # What the engine and its helpers keep in /run is not for others. The shell buries orphans.
        begin = "mount -t tmpfs tmpfs /run && ip link set lo up && echo ready; while :; do sleep 1000 & wait; done"
        unshared = ["unshare", "--fork", "--kill-child", "--pid", "--mount-proc", "--mount", "--net", "sh", "-c", begin]
        self.namespaces = subprocess.Popen(unshared, stdout=subprocess.PIPE, text=True)
        assert self.namespaces.stdout.readline() == "ready\n"
        pid = self.namespaces.pid
        [self.first_process] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        self.daemon = None

    def inside(self, *command):
        """Return a command as it has to be to run in the engine's namespaces."""
        return ["nsenter", "--target", self.first_process, "--pid", "--mount", "--net", *command]

    def start(self):
        """Start the engine, and return when it answers."""
        options = {
            "host": self.address,
            "data-root": self.folder / "data",
            "exec-root": self.folder / "run",
            "pidfile": self.folder / "docker.pid",
            "config-file": self.folder / "daemon.json",
            "cgroup-parent": f"/{self.cgroup}",
            # The other one, systemd, knows nothing of the processes in here.
            "exec-opt": "native.cgroupdriver=cgroupfs",
        }
        command = self.inside("dockerd", *(f"--{name}={value}" for name, value in options.items()))
        with (self.folder / "dockerd.log").open("a") as log:
            self.daemon = subprocess.Popen(command, stdout=log, stderr=log)
        until(self.answers, "the engine answers")

    def answers(self):
        """Return whether the engine answers; fail when it has ended."""
        assert self.daemon.poll() is None, (self.folder / "dockerd.log").read_text()[-2000:]
        return subprocess.run(["docker", "--host", self.address, "version"], capture_output=True).returncode == 0

    def end(self, signal):
        """Send the engine a signal, such as `KILL`, and return when it has ended."""
        pid = (self.folder / "docker.pid").read_text()
        subprocess.run(self.inside("sh", "-c", f"kill -{signal} {pid}"), check=True)
        self.daemon.wait()

    def load(self, images):
        """Copy images from the engine of the machine; `images` maps their names there to their names here."""
        docker = ["docker", "--host", self.address]
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
            subprocess.run([*docker, "load", "--quiet"], stdin=saving.stdout, stdout=subprocess.DEVNULL, check=True)
        assert saving.returncode == 0
        for there, here in images.items():
            subprocess.run([*docker, "tag", there, here], check=True)

    def remove(self):
        """End all processes of the engine, and delete everything that it has."""
        self.namespaces.kill()
        self.namespaces.wait()
        if self.daemon is not None:
            self.daemon.wait()
        groups = [*CGROUPS.glob(self.cgroup), *CGROUPS.glob(f"*/{self.cgroup}")]
        for group in groups:
            inner = sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True)
            for path in (*inner, group):
                until(lambda path=path: is_removed(path), f"{path} is removed")
        until(lambda: shutil.rmtree(self.folder, ignore_errors=True) or not self.folder.exists(), "its data are gone")


def is_removed(path):
    """Remove an empty folder; return whether that succeeded. A control group is busy until its processes have ended."""
    try:
        path.rmdir()
    except OSError:
        return not path.exists()
    return True
