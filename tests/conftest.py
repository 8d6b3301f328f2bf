"""The running toolbox that the tests marked `stack` share, and what the end of a test run says about it."""

import pytest
from copies import Copy

from toolbox.model import SERVICES

BASES = pytest.StashKey[dict]()


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory, pytestconfig):
    """A toolbox of its own, started with `invoke up` and gone afterwards."""
    copy = Copy(tmp_path_factory.mktemp("copy") / "data-toolbox")
    try:
        copy.succeed("up")
        # Of the start that made the database; new containers begin new logs.
        copy.first_logs = copy.compose("logs")
        pytestconfig.stash[BASES] = {
            service: copy.inspect(service)["Config"]["Labels"]["org.opencontainers.image.base.name"]
            for service in SERVICES
        }
        yield copy
    finally:
        copy.succeed("clean", "--yes")
    assert copy.remains() == []


def pytest_terminal_summary(terminalreporter, config):
    """Say on which base images the tests ran."""
    for service, image in config.stash.get(BASES, {}).items():
        terminalreporter.write_line(f"base image of {service}: {image}")
