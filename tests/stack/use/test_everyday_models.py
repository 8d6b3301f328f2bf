"""Programs from tutorials about models work: tests/inside/everyday/models."""

import pytest

from tests.support import everyday

pytestmark = pytest.mark.stack

PROGRAMS = everyday.others("models")


@pytest.fixture(scope="module")
def results(toolbox):
    """The result of each program by name."""
    return everyday.run(toolbox, PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_from_a_tutorial_about_models_works(results, name):
    status, _, printed = results[name]
    assert status == 0, printed
