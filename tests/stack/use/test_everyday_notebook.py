"""What people type from tutorials about notebooks, tables and SQL works: tests/inside/everyday/notebook."""

import pytest

from tests.support import everyday

pytestmark = pytest.mark.stack

PROGRAMS = everyday.others("notebook")


@pytest.fixture(scope="module")
def ended(toolbox):
    """How each program ended."""
    return everyday.run(toolbox, PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_a_tutorial_works(ended, name):
    status, _, printed = ended[name]
    assert status == 0, printed
