"""The toolbox that the tests marked `stack` share, the report of a failure, and the summary of a run."""

import shlex
import signal
import sys
from urllib.parse import quote

import pytest

from tests.support import proven
from tests.support.copies import JUPYTER_TOKEN, ROOT, Copy
from toolbox import lock
from toolbox.compose import SERVICES

# A character of every kind that a shell, Compose, Docker or Python could interpret.
FOLDER = """a b'c"d;touch PWNED;$(touch PWNED)$HOME,e:f\\g%s{h}é"""

# A shell without job control makes background processes ignore Ctrl-C, and tasks would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

BASES = pytest.StashKey[dict]()
LINES = pytest.StashKey[list]()


def pytest_addoption(parser):
    """Add the option of `invoke test`."""
    parser.addoption("--keep", action="store_true", help="leave the toolbox that the tests share running")


@pytest.fixture(autouse=True)
def _own_lock(tmp_path_factory, monkeypatch):
    """Let tasks lock a file of this test process, as other processes test tasks in the same directory."""
    folder, original = tmp_path_factory.getbasetemp(), lock.exclusive

    def exclusive(path, task):
        return original(folder / path.name if path.parent == ROOT else path, task)

    monkeypatch.setattr(lock, "exclusive", exclusive)


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory, pytestconfig):
    """A temporary toolbox, started with `invoke up`."""
    copy = Copy(tmp_path_factory.mktemp("copy") / FOLDER)
    kept = pytestconfig.getoption("keep")
    try:
        copy.succeed("up")
        # Those of the first start, as new containers begin new logs.
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
    """Return lines about using and deleting a toolbox that is left running."""
    return [
        f"The toolbox of the tests is still running; docker compose finds it in {shlex.quote(str(copy.root))}",
        f"  JupyterLab  {copy.url('notebook', f'/lab?token={quote(JUPYTER_TOKEN)}')}",
        f"  MLflow      {copy.url('mlflow', '')}",
        f"  delete it   (cd {shlex.quote(str(copy.root))} && {sys.executable} -m invoke clean --yes)",
    ]


@pytest.fixture
def record(pytestconfig):
    """A function that adds a line of figures to the summary."""
    return pytestconfig.stash.setdefault(LINES, []).append


@pytest.fixture
def record_fault(record):
    """A function that adds a fault to the summary: its name, the numbers of acknowledged writes, of those
    found and of failed calls, and the seconds until the server answered again.
    """
    line = "{}: {} acknowledged, {} found, {} calls failed, answered after {:.1f} s"
    return lambda *fault: record(line.format(*fault))


def pytest_collection_modifyitems(items):
    """Add the claim that each test helps to prove to its report."""
    for item in items:
        item.user_properties.append((proven.PROPERTY, proven.claim(item)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Add the state of every running toolbox to the report of a failed test."""
    report = yield
    if report.failed and item.get_closest_marker("stack"):
        for copy in Copy.made:
            if state := copy.failure or copy.state():
                report.sections.append((f"toolbox {copy.project}", state))
            copy.failure = ""
    return report


def pytest_sessionfinish(session):
    """Send bases and lines of the summary to the controlling process, if there is one."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output |= {"bases": session.config.stash.get(BASES, {}), "lines": session.config.stash.get(LINES, [])}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Receive bases and lines of the summary from a worker process."""
    output = getattr(node, "workeroutput", {})
    node.config.stash.setdefault(BASES, {}).update(output.get("bases", {}))
    node.config.stash.setdefault(LINES, []).extend(output.get("lines", []))


def pytest_terminal_summary(terminalreporter, config):
    """Print what was proven, on which base images, and what was measured."""
    for line in proven.table(terminalreporter.stats):
        terminalreporter.write_line(line)
    for service, image in config.stash.get(BASES, {}).items():
        terminalreporter.write_line(f"base image of {service}: {image}")
    for line in config.stash.get(LINES, []):
        terminalreporter.write_line(line)
