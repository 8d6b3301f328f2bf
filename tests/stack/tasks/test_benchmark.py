"""An interrupted benchmark leaves nothing of its two stacks, and does not affect other toolboxes."""

import signal
import subprocess
import sys
import time

import pytest

from tests.support.copies import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.stack

LABEL = "com.docker.compose.project"


def projects():
    """Return the projects of benchmarks that have a container, volume, network or image."""
    listings = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
    command = ("--format", f'{{{{.Label "{LABEL}"}}}}')
    found = [docker(*listing, *command) for listing in listings]
    images = docker("image", "ls", "--all", "--quiet", "--filter", f"label={LABEL}")
    found.append(docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', *set(images)))
    return {name for names in found for name in names if name.startswith("data-toolbox-bench-")}


def docker(*arguments):
    """Return the words in the output of a docker command."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False).stdout.split()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_benchmark_leaves_nothing_behind(toolbox, tmp_path, number):
    before = projects()
    states = [toolbox.inspect(service)["State"]["StartedAt"] for service in ("postgres", "mlflow", "notebook")]
    command = [sys.executable, "-m", "invoke", "--search-root", ROOT, "dev.bench", "--quick"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            mine = until(lambda: new_projects(before), "a container of stock runs", 300)
            running.send_signal(number)
            time.sleep(1)
            # A second signal must not interrupt the removal.
            running.send_signal(number)
            _, stderr = running.communicate(timeout=180)
        finally:
            running.kill()
    assert running.returncode == 1
    assert stderr.splitlines()[-1].startswith("FAIL: interrupted: ")
    assert "Traceback" not in stderr
    assert projects() & mine == set()
    assert states == [toolbox.inspect(service)["State"]["StartedAt"] for service in ("postgres", "mlflow", "notebook")]


def new_projects(before):
    """Return the projects that are new since `before` once a container of stock runs, until then None."""
    running = set(docker("ps", "--format", f'{{{{.Label "{LABEL}"}}}}')) - before
    return projects() - before if any(name.startswith("data-toolbox-bench-stock-") for name in running) else None
