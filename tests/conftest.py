"""The running toolbox that the tests marked `stack` share, what a failure shows, and what the end of a run says."""

import shlex
import signal
import sys
from urllib.parse import quote

import pytest

from tests.support import proven
from tests.support.copies import JUPYTER_TOKEN, ROOT, Copy
from toolbox import lock
from toolbox.compose import SERVICES

# A character of every kind that a shell, Compose, Docker or Python could take for its own.
FOLDER = """a b'c"d;touch PWNED;$(touch PWNED)$HOME,e:f\\g%s{h}é"""

# A shell without job control has what it starts in the background ignore Ctrl-C, and so do the tasks that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

BASES = pytest.StashKey[dict]()
LINES = pytest.StashKey[list]()


def pytest_addoption(parser):
    """Add the option of `invoke test`."""
    parser.addoption("--keep", action="store_true", help="leave the toolbox that the tests share running")


@pytest.fixture(autouse=True)
def _own_lock(tmp_path_factory, monkeypatch):
    """Make tasks that a test calls lock a file of this process: another process tests tasks in the same directory."""
    folder, before = tmp_path_factory.getbasetemp(), lock.exclusive

    def own(path, task):
        return before(folder / path.name if path.parent == ROOT else path, task)

    monkeypatch.setattr(lock, "exclusive", own)


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory, pytestconfig):
    """A toolbox of its own, started with `invoke up` and gone afterwards."""
    copy = Copy(tmp_path_factory.mktemp("copy") / FOLDER)
    kept = pytestconfig.getoption("keep")
    try:
        copy.succeed("up")
        # Of the start that made the database; new containers begin new logs.
        copy.first_logs = copy.compose("logs")
        pytestconfig.stash[BASES] = {service: copy.base(service) for service in SERVICES}
        yield copy
    finally:
        if kept:
            pytestconfig.stash.setdefault(LINES, []).extend(how_to_use(copy))
        else:
            copy.succeed("clean", "--yes")
    if not kept:
        assert copy.remains() == []
    assert list(copy.root.parent.rglob("PWNED")) == []


def how_to_use(copy):
    """Return lines that say how to look at a toolbox that is left running, and how to delete it."""
    return [
        f"The toolbox of the tests is still running; docker compose finds it in {shlex.quote(str(copy.root))}",
        f"  JupyterLab  {copy.url('notebook', f'/lab?token={quote(JUPYTER_TOKEN)}')}",
        f"  MLflow      {copy.url('mlflow', '')}",
        f"  delete it   (cd {shlex.quote(str(copy.root))} && {sys.executable} -m invoke clean --yes)",
    ]


@pytest.fixture
def record(pytestconfig):
    """A function that notes a line of figures for the end of the test run."""
    return pytestconfig.stash.setdefault(LINES, []).append


@pytest.fixture
def record_fault(record):
    """A function that notes for the end of the test run what a fault did: its name, how many writes were acknowledged,
    how many of them were found, how many calls failed, and the seconds until the server answered again.
    """
    line = "{}: {} acknowledged, {} found, {} calls failed, answered after {:.1f} s"
    return lambda *fault: record(line.format(*fault))


def pytest_collection_modifyitems(items):
    """Note what each test helps to prove, for the report of its result."""
    for item in items:
        item.user_properties.append((proven.PROPERTY, proven.claim(item)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Add the state of every toolbox that is up to the report of a failed test."""
    report = yield
    if report.failed and item.get_closest_marker("stack"):
        for copy in Copy.made:
            if state := copy.failure or copy.state():
                report.sections.append((f"toolbox {copy.project}", state))
            copy.failure = ""
    return report


def pytest_sessionfinish(session):
    """Hand what is to be said at the end to the process that began this one, if one did."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output |= {"bases": session.config.stash.get(BASES, {}), "lines": session.config.stash.get(LINES, [])}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take what a process that has ended hands over."""
    output = getattr(node, "workeroutput", {})
    node.config.stash.setdefault(BASES, {}).update(output.get("bases", {}))
    node.config.stash.setdefault(LINES, []).extend(output.get("lines", []))


def pytest_terminal_summary(terminalreporter, config):
    """Say what was proven, on which base images, and what was measured."""
    for line in proven.table(terminalreporter.stats):
        terminalreporter.write_line(line)
    for service, image in config.stash.get(BASES, {}).items():
        terminalreporter.write_line(f"base image of {service}: {image}")
    for line in config.stash.get(LINES, []):
        terminalreporter.write_line(line)
