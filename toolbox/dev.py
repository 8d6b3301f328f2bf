"""The tasks for who changes the toolbox itself: `./run dev.bench`, for example."""

import os
import sys
from pathlib import Path

from invoke import Exit

from . import engine, process
from .decorators import dev_task
from .errors import Failure
from .instance import Toolbox
from .process import ROOT, tool, visibly

# The folders with a requirements.in, and the oldest Python that each is for.
LOCKED = {
    ".": "3.10",
    "ml-flow-docker": "3.13",
    "jupyter-notebook-docker": "3.13",
    "bare-machine/scipy-notebook": "3.13",
    "tests/browser": "3.13",
    "tests/older-mlflow/3.5.1": "3.13",
    "tests/older-mlflow/3.17.1": "3.13",
    "tests/everyday/host/2.x": "3.10",
    "tests/everyday/host/3.x": "3.10",
}


@dev_task(
    name="test",
    help={
        "quick": "leave out the tests that take minutes",
        "no-docker": "leave out the tests that need a running toolbox",
        "only": "run only tests whose name contains this",
    },
)
def run_tests(c, quick=False, no_docker=False, only=""):
    """Run the tests, on a toolbox of their own."""
    left_out = [*(["not slow"] if quick else []), *(["not stack"] if no_docker else [])]
    chosen = [*(["-m", " and ".join(left_out)] if left_out else []), *(["-k", only] if only else [])]
    # Each process has a toolbox of its own. A file's tests stay together, and both processes keep to the files' order.
    at_once = ["--numprocesses", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    if not visibly(c, [*tool("pytest"), *at_once, *chosen], in_stream=None):
        raise Exit(code=1)


@dev_task
def lint(c):
    """Check the files that git knows with the hooks of .pre-commit-config.yaml."""
    if not visibly(c, [*tool("pre_commit"), "run", "--all-files"]):
        raise Failure(
            "a check did not pass: what it found is above; formatting and outputs of notebooks are corrected by now."
        )


@dev_task
def lock(c):
    """Pin the packages of every requirements.in, with hashes."""
    uv = [*tool("uv"), "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    for folder, python in LOCKED.items():
        output, listed = (str(Path(folder, f"requirements.{end}")) for end in ("txt", "in"))
        options = ["--custom-compile-command", "invoke lock", "--python-version", python, "--output-file", output]
        if (ROOT / folder / "left-out.txt").exists():
            options += ["--overrides", f"{folder}/left-out.txt"]
        if not visibly(c, [*uv, *options, listed]):
            raise Failure(f"{output} could not be made: uv's message is above.")


@dev_task(
    help={
        "quick": "a few minutes' worth of figures, with a few samples of each",
        "compare": "a speed.json of another run, to say what has moved since",
        "only": "measure one section",
    },
)
def bench(c, quick=False, compare="", only=""):
    """Measure speed and memory against a plain setup."""
    options = [*(["--quick"] if quick else []), *(["--compare", compare] if compare else [])]
    become(c, "tests/bench/run.py", *options, *(["--only", only] if only else []))


@dev_task
def pictures(c):
    """Make new screenshots for the README."""
    become(c, "tests/pictures.py")


def become(c, program, *options):
    """Run a Python program of the repository in the place of this process; it needs Docker.

    So Ctrl-C and SIGTERM reach the one that has containers to delete.
    """
    engine.check(Toolbox(c).run)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, str(process.ROOT / program), *options])
