"""The running toolbox that the tests marked `stack` share, and what the end of a test run says about it."""

import pytest
from copies import Copy

from toolbox.model import SERVICES

BASES = pytest.StashKey[dict]()
FAULTS = pytest.StashKey[list]()


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory, pytestconfig):
    """A toolbox of its own, started with `invoke up` and gone afterwards."""
    copy = Copy(tmp_path_factory.mktemp("copy") / "data-toolbox")
    try:
        copy.succeed("up")
        # Of the start that made the database; new containers begin new logs.
        copy.first_logs = copy.compose("logs")
        pytestconfig.stash[BASES] = {service: copy.base(service) for service in SERVICES}
        yield copy
    finally:
        copy.succeed("clean", "--yes")
    assert copy.remains() == []


@pytest.fixture
def record_fault(pytestconfig):
    """A function that notes for the end of the test run what a fault did: its name, how many metrics were acknowledged,
    how many of them were found, how many calls failed, and the seconds until the server answered again.
    """
    faults = pytestconfig.stash.setdefault(FAULTS, [])
    return lambda *fault: faults.append(fault)


def pytest_terminal_summary(terminalreporter, config):
    """Say on which base images the tests ran, and what the faults did."""
    for service, image in config.stash.get(BASES, {}).items():
        terminalreporter.write_line(f"base image of {service}: {image}")
    for name, acknowledged, found, failed, seconds in config.stash.get(FAULTS, []):
        terminalreporter.write_line(
            f"{name}: {acknowledged} acknowledged, {found} found, {failed} calls failed, answered after {seconds:.1f} s"
        )
