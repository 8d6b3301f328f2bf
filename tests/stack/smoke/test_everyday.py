"""A dozen programs that people copy from tutorials work in the notebook; the others are in tests/stack/use."""

import pytest

from tests.support import everyday

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("toolbox")]


@pytest.fixture(scope="module")
def results(toolbox):
    """The result of each program by name."""
    return everyday.run(toolbox, everyday.DOZEN)


@pytest.mark.parametrize("name", everyday.DOZEN)
def test_a_program_from_a_tutorial_works(results, name):
    status, _, printed = results[name]
    assert status == 0, printed
