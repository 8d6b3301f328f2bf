"""The tasks for who changes the toolbox itself: `./run dev.bench`, for example."""

import os
import sys
from pathlib import Path

from invoke import Exit

from . import engine
from .decorators import dev_task
from .errors import Failure
from .instance import Toolbox
from .process import ROOT, tool, visibly

# The folders with a requirements.in, and the oldest Python that each is for.
LOCKED = {
    ".": "3.10",
    "tests": "3.10",
    "ml-flow-docker": "3.13",
    "jupyter-notebook-docker": "3.13",
    "bare-machine/scipy-notebook": "3.13",
    "tests/inside/browser": "3.13",
    "tests/support/older-mlflow/3.5.1": "3.13",
    "tests/support/older-mlflow/3.17.1": "3.13",
    "tests/clients/2.x": "3.10",
    "tests/clients/3.x": "3.10",
}
QUICK_TESTS = ("tests/unit", "tests/tasks", "tests/config", "tests/stack/smoke")


@dev_task(
    name="test",
    help={
        "all": "all tests: about 45 minutes on two cores",
        "only": "of all tests, those whose path or name contains this",
        "keep": "leave the tests' toolbox running, and print how to use and delete it",
    },
)
def run_tests(c, all=False, only="", keep=False):
    """Test the toolbox, on one of the tests' own, in about five minutes."""
    if all:
        print("All tests take about 45 minutes on two cores: also faults, full disks, upgrades and a browser.")
    # Those that need a running toolbox share one. With all tests, each process has its own.
    chosen = ["--dist", "loadfile", "--no-loadscope-reorder"] if all or only else ["--dist", "loadgroup", *QUICK_TESTS]
    chosen += [*(["-k", only] if only else []), *(["--keep"] if keep else [])]
    if not visibly(c, [*tool("pytest"), "--numprocesses", "2", *chosen], in_stream=None):
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
    options = [*(["--quick"] if quick else []), *(["--compare", os.path.abspath(compare)] if compare else [])]
    become(c, "benchmarks.run", *options, *(["--only", only] if only else []))


@dev_task
def pictures(c):
    """Make new screenshots for the README."""
    become(c, "tests.support.screenshots")


def become(c, module, *options):
    """Run a program of the repository in place of this process, so that it gets Ctrl-C and SIGTERM, and cleans up.

    It needs Docker.
    """
    engine.check(Toolbox(c).run)
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", module, *options])
