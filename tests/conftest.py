"""The running toolbox that the tests marked `stack` share, and what the end of a test run says about it."""

import signal

import pytest
from copies import ROOT, Copy

from toolbox import lock
from toolbox.model import SERVICES

# A character of every kind that a shell, Compose, Docker or Python could take for its own.
FOLDER = """a b'c"d;touch PWNED;$(touch PWNED)$HOME,e:f\\g%s{h}é"""

# A shell without job control has what it starts in the background ignore Ctrl-C, and so do the tasks that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

BASES = pytest.StashKey[dict]()
FIGURES = pytest.StashKey[list]()


@pytest.fixture(autouse=True)
def _own_lock(tmp_path_factory, monkeypatch):
    """Have tasks that a test calls lock a file of this process: another one tests tasks in the same folder."""
    folder, before = tmp_path_factory.getbasetemp(), lock.alone

    def own(path, task):
        return before(folder / path.name if path.parent == ROOT else path, task)

    monkeypatch.setattr(lock, "alone", own)


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory, pytestconfig):
    """A toolbox of its own, started with `invoke up` and gone afterwards."""
    copy = Copy(tmp_path_factory.mktemp("copy") / FOLDER)
    try:
        copy.succeed("up")
        # Of the start that made the database; new containers begin new logs.
        copy.first_logs = copy.compose("logs")
        pytestconfig.stash[BASES] = {service: copy.base(service) for service in SERVICES}
        yield copy
    finally:
        copy.succeed("clean", "--yes")
    assert copy.remains() == []
    assert list(copy.root.parent.rglob("PWNED")) == []


@pytest.fixture
def record(pytestconfig):
    """A function that notes a line of figures for the end of the test run."""
    return pytestconfig.stash.setdefault(FIGURES, []).append


@pytest.fixture
def record_fault(record):
    """A function that notes for the end of the test run what a fault did: its name, how many writes were acknowledged,
    how many of them were found, how many calls failed, and the seconds until the server answered again.
    """
    line = "{}: {} acknowledged, {} found, {} calls failed, answered after {:.1f} s"
    return lambda *fault: record(line.format(*fault))


def pytest_sessionfinish(session):
    """Hand what is to be said at the end to the process that began this one, if one did."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output |= {"bases": session.config.stash.get(BASES, {}), "figures": session.config.stash.get(FIGURES, [])}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take what a process that has ended hands over."""
    output = getattr(node, "workeroutput", {})
    node.config.stash.setdefault(BASES, {}).update(output.get("bases", {}))
    node.config.stash.setdefault(FIGURES, []).extend(output.get("figures", []))


def pytest_terminal_summary(terminalreporter, config):
    """Say on which base images the tests ran, and what they measured."""
    for service, image in config.stash.get(BASES, {}).items():
        terminalreporter.write_line(f"base image of {service}: {image}")
    for line in config.stash.get(FIGURES, []):
        terminalreporter.write_line(line)
