"""A second Docker engine, which tests can restart and kill without affecting that of the machine."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.waiting import until

PROGRAMS = ("dockerd", "unshare", "nsenter", "ip", "iptables")
CGROUPS = Path("/sys/fs/cgroup")


def missing():
    """Return the requirements of a second engine that this machine does not meet, as text."""
    unmet = [program for program in PROGRAMS if shutil.which(program) is None]
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        unmet.insert(0, "root")
    return ", ".join(unmet)


class Engine:
    """A Docker engine in separate namespaces, with its data in `folder`.

    Its processes, networks, firewall rules and mounts are separate from those of the machine, and end with the
    namespaces.
    """

    def __init__(self, folder):
        self.folder = folder
        self.address = f"unix://{folder}/docker.sock"
        self.cgroup = f"data-toolbox-test-{os.getpid()}"
        (folder / "daemon.json").write_text("{}")
        # A private /run for the engine and its helpers. The shell reaps orphans.
        init = "mount -t tmpfs tmpfs /run && ip link set lo up && echo ready; while :; do sleep 1000 & wait; done"
        unshare = ["unshare", "--fork", "--kill-child", "--pid", "--mount-proc", "--mount", "--net", "sh", "-c", init]
        self.namespaces = subprocess.Popen(unshare, stdout=subprocess.PIPE, text=True)
        assert self.namespaces.stdout.readline() == "ready\n"
        pid = self.namespaces.pid
        [self.first_process] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        self.daemon = None

    def inside(self, *command):
        """Return the command that runs `command` in the engine's namespaces."""
        return ["nsenter", "--target", self.first_process, "--pid", "--mount", "--net", *command]

    def start(self):
        """Start the engine, and wait until it answers."""
        options = {
            "host": self.address,
            "data-root": self.folder / "data",
            "exec-root": self.folder / "run",
            "pidfile": self.folder / "docker.pid",
            "config-file": self.folder / "daemon.json",
            "cgroup-parent": f"/{self.cgroup}",
            # The alternative, systemd, does not see the processes in these namespaces.
            "exec-opt": "native.cgroupdriver=cgroupfs",
        }
        command = self.inside("dockerd", *(f"--{name}={value}" for name, value in options.items()))
        with (self.folder / "dockerd.log").open("a") as log:
            self.daemon = subprocess.Popen(command, stdout=log, stderr=log)
        until(self.answers, "the engine answers")

    def answers(self):
        """Return whether the engine answers; fail if it has exited."""
        assert self.daemon.poll() is None, (self.folder / "dockerd.log").read_text()[-2000:]
        return subprocess.run(["docker", "--host", self.address, "version"], capture_output=True).returncode == 0

    def end(self, signal):
        """Send the engine a signal, such as `KILL`, and wait until it has exited."""
        pid = (self.folder / "docker.pid").read_text()
        subprocess.run(self.inside("sh", "-c", f"kill -{signal} {pid}"), check=True)
        self.daemon.wait()

    def load(self, images):
        """Copy images from the engine of the machine; `images` maps their names there to new names here."""
        docker = ["docker", "--host", self.address]
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
            subprocess.run([*docker, "load", "--quiet"], stdin=saving.stdout, stdout=subprocess.DEVNULL, check=True)
        assert saving.returncode == 0
        for there, here in images.items():
            subprocess.run([*docker, "tag", there, here], check=True)

    def remove(self):
        """Kill all processes of the engine, and delete its data and control groups."""
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
    """Remove an empty folder; return whether it is gone. A control group is busy until its processes have exited."""
    try:
        path.rmdir()
    except OSError:
        return not path.exists()
    return True
