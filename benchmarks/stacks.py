"""The sides of the benchmark, two temporary stacks: ours, and the plain setup (stock)."""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import psycopg2

from tests.support.copies import PORTS, ROOT, Copy, free_ports, surroundings
from tests.support.waiting import until
from toolbox import compose
from toolbox.compose import SERVICES
from toolbox.errors import Failure, last_line

HERE = Path(__file__).parent
# Docker may still create what an interrupted command requested, so removal is repeated.
REMOVALS = 5
PAUSE_SECONDS = 0.5
# The units of `docker stats`, in bytes.
SIZES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
# Prints the CPU time of a container, as cgroup v2 or v1 counts it.
CPU = "cat /sys/fs/cgroup/cpu.stat 2>/dev/null || cat /sys/fs/cgroup/cpuacct/cpuacct.usage"


class Side(Copy):
    """A stack to measure: a Copy with the methods that the sections need. The folder must not exist yet."""

    name = ""

    def run(self, *command, stdin="", **environment):
        """Do what Copy.run does, and kill all processes of the command if this one is interrupted."""
        with self.started(*command, environment=environment, stdin=subprocess.PIPE) as process:
            stdout, stderr = process.communicate(stdin)
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)

    @contextmanager
    def started(self, *command, environment=None, stdin=subprocess.DEVNULL):
        """Start a command in the folder and give its process; what still runs at the end of the block is killed.

        A surviving `docker compose up` would create containers again after they are deleted.
        """
        options = {"cwd": self.root, "env": surroundings(**(environment or {})), "stdin": stdin, "text": True}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        # In a new session Ctrl-C does not reach it, but the signal below reaches all its children.
        with subprocess.Popen(command, start_new_session=True, **options, **pipes) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def build(self):
        """Build the images. Raises Failure."""
        raise NotImplementedError

    def base(self, service):
        """Return the name of the image that the image of a service extends, or is."""
        raise NotImplementedError

    def sql(self, statement):
        """Run a statement as the owner of MLflow's database, from this machine; return the rows, or None."""
        raise NotImplementedError

    def psql(self, statement):
        """Run a statement as the superuser, in the container; return the output of psql."""
        raise NotImplementedError

    def up(self):
        """Start all services and wait until they are healthy."""
        # A pause makes containers unhealthy, and Compose gives up at once on an unhealthy one.
        until(lambda: not self.unhealthy(), f"{self.name} was healthy after a pause")
        self.compose("up", "--detach", "--wait")

    def unhealthy(self):
        """Return the services that are unhealthy."""
        containers = compose.containers(self.compose("ps", "--all", "--format", "json"))
        return [service for service, container in containers.items() if container["Health"] == "unhealthy"]

    def remove(self):
        """Delete the containers, networks, volumes and images, in any state."""
        for _ in range(REMOVALS):
            if not self.remove_once():
                return
            time.sleep(PAUSE_SECONDS)

    def remove_once(self):
        """Delete everything of this project; return whether there was anything."""
        label = ("--quiet", "--filter", f"label=com.docker.compose.project={self.project}")
        found = False
        for listing, removal in (
            (("ps", "--all", *label), ("rm", "--force", "--volumes")),
            (("network", "ls", *label), ("network", "rm")),
            (("volume", "ls", *label), ("volume", "rm", "--force")),
            # `--all` includes those that lost their name to a newer one.
            (("image", "ls", "--all", *label), ("image", "rm", "--force")),
        ):
            if ids := set(run_uninterrupted("docker", *listing).split()):
                found = True
                run_uninterrupted("docker", *removal, *ids)
        return found

    def image(self, service):
        """Return the name of the image of a service."""
        return f"{self.project}-{service}"

    def port(self, service):
        """Return the port of a service on this machine."""
        return self.ports[f"{service.upper()}_PORT"]

    def in_container(self, service, program, *arguments, stdin="", environment=None):
        """Run a program of benchmarks/inside or tests/inside in the container of a service; return its last line, JSON.

        `environment` are additional variables.
        """
        paths = [folder / "inside" / program for folder in (HERE, ROOT / "tests")]
        source = next(path for path in paths if path.exists()).read_text()
        variables = [option for name, value in (environment or {}).items() for option in ("--env", f"{name}={value}")]
        command = ["python", "-c", source, *map(str, arguments)]
        printed = self.compose("exec", "--no-TTY", *variables, service, *command, stdin=stdin)
        return json.loads(printed.splitlines()[-1])

    def running(self):
        """Return the services whose container runs and is not paused."""
        return self.compose("ps", "--services", "--status", "running").split()

    def stats(self, service):
        """Return the entry of `docker stats` for a service, as a dictionary."""
        container = self.container(service)
        return json.loads(self.run("docker", "stats", "--no-stream", "--format", "json", container).stdout)

    def memory(self, service):
        """Return the memory of a service in bytes, without the page cache."""
        return in_bytes(self.stats(service)["MemUsage"].split(" / ")[0])

    @contextmanager
    def sampled_memory(self, service):
        """Give a list to which the memory of a service is added about once a second during the block."""
        samples = [self.memory(service)]

        def watch(watcher):
            # It clears the screen before each line, and prints dashes for unknown values.
            for line in watcher.stdout:
                if used := re.search(r"([\d.]+[KMG]?i?B) / ", line):
                    samples.append(in_bytes(used[1]))

        command = ("docker", "stats", "--format", "{{.MemUsage}}", self.container(service))
        with self.started(*command) as watcher:
            thread = Thread(target=watch, args=[watcher])
            thread.start()
            try:
                yield samples
            finally:
                # It ignores SIGTERM.
                watcher.kill()
                thread.join()

    def processes(self, service):
        """Return the number of processes and threads of a service, as counted against its PID limit."""
        return int(self.stats(service)["PIDs"])

    def cpu_seconds(self, service):
        """Return the CPU seconds of a service since its container started.

        The measurement itself adds some hundredths of a second.
        """
        used = self.compose("exec", "--no-TTY", service, "sh", "-c", CPU)
        microseconds = re.search(r"^usage_usec (\d+)", used, flags=re.M)
        return int(microseconds[1]) / 1e6 if microseconds else int(used) / 1e9

    def pause(self):
        """Pause the running containers, which then use no CPU."""
        if services := self.running():
            self.compose("pause", *services)

    def unpause(self):
        """Resume paused containers."""
        if services := self.compose("ps", "--services", "--status", "paused").split():
            self.compose("unpause", *services)


class Ours(Side):
    """The toolbox of this repository, in a copy, with the base images that `invoke build` chooses on this machine."""

    name = "ours"

    def __init__(self, folder):
        super().__init__(folder)
        self.project = unique_project(self.name)
        self.set(COMPOSE_PROJECT_NAME=self.project)

    def build(self):
        result = self.invoke("build")
        if result.returncode:
            raise Failure(
                f'our images could not be built ({last_line(result.stderr)}): see the output of "invoke build".'
            )

    def base(self, service):
        return compose.base_image(json.loads(self.compose("config", "--format", "json")), service)

    def sql(self, statement):
        return Copy.sql(self, "mlflow", "mlflow", statement)

    def psql(self, statement):
        return Copy.psql(self, "postgres", "mlflow", statement)


class Stock(Side):
    """The plain setup in benchmarks/stock; `bases` are the base images of the services."""

    name = "stock"

    def __init__(self, folder, bases):
        self.root = folder
        self.project = unique_project(self.name)
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.bases = bases
        self.password = secrets.token_urlsafe()
        shutil.copytree(HERE / "stock", folder)
        self.env.touch(0o600)
        self.set(
            COMPOSE_PROJECT_NAME=self.project,
            MLFLOW_VERSION=mlflow_version(),
            POSTGRES_PASSWORD=self.password,
            JUPYTER_TOKEN=secrets.token_urlsafe(),
            **{f"{service.upper()}_BASE_IMAGE": image for service, image in bases.items()},
            **self.ports,
        )

    def build(self):
        result = self.run("docker", "compose", "build")
        if result.returncode:
            raise Failure(f"the images of stock could not be built ({last_line(result.stderr)}): see benchmarks/stock.")

    def image(self, service):
        return self.bases[service] if service == "postgres" else super().image(service)

    def base(self, service):
        return self.bases[service]

    def connect(self, *_):
        """Connect to the database as its only role, owner and superuser."""
        port = self.port("postgres")
        return psycopg2.connect(host="127.0.0.1", port=port, user="mlflow", dbname="mlflow", password=self.password)

    def sql(self, statement):
        return Copy.sql(self, "mlflow", "mlflow", statement)

    def psql(self, statement):
        client = ("psql", "--username=mlflow", "--dbname=mlflow")
        return self.compose("exec", "--no-TTY", "postgres", *client, f"--command={statement}")


def unique_project(side):
    """Return a unique project name for a side."""
    return f"data-toolbox-bench-{side}-{secrets.token_hex(4)}"


def mlflow_version():
    """Return the version of MLflow on both sides."""
    requirements = (ROOT / "ml-flow-docker" / "requirements.in").read_text()
    return re.search(r"^mlflow==(\S+)$", requirements, flags=re.M)[1]


def in_bytes(text):
    """Return a size such as `1.5GiB` in bytes."""
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()
    return float(number) * SIZES[unit]


def run_uninterrupted(*command):
    """Run a command in a new session, where Ctrl-C does not reach it; return its output."""
    return subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True).stdout


@contextmanager
def both(folder):
    """Give the two sides by name, built but not started; remove both afterwards, also on Ctrl-C and SIGTERM.

    Their files are in `folder`.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sides = {}
    try:
        sides["ours"] = ours = Ours(Path(folder) / "ours")
        ours.build()
        sides["stock"] = stock = Stock(Path(folder) / "stock", {service: ours.base(service) for service in SERVICES})
        stock.build()
        yield {"stock": stock, "ours": ours}
    finally:
        # A second Ctrl-C would interrupt the removal.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for side in sides.values():
            side.remove()


def in_turn(sides, rounds):
    """Yield (round from 0, stack) for each round and side, while the other side is paused.

    The first side alternates, so that neither always has the warmer machine.
    """
    order = list(sides.values())
    try:
        for number in range(rounds):
            for side in order:
                for other in order:
                    if other is not side:
                        other.pause()
                side.unpause()
                yield number, side
            order.reverse()
    finally:
        for side in order:
            side.unpause()
