"""A dozen of what people type from tutorials work in the notebook; the others are in tests/stack/use."""

import pytest

from tests.support import everyday

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("toolbox")]


@pytest.fixture(scope="module")
def ended(toolbox):
    """How each program ended."""
    return everyday.run(toolbox, everyday.DOZEN)


@pytest.mark.parametrize("name", everyday.DOZEN)
def test_a_program_of_a_tutorial_works(ended, name):
    status, _, printed = ended[name]
    assert status == 0, printed
