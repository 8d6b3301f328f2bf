"""What people type from tutorials works: the programs of tests/inside/everyday, each in a process of its own."""

import json

import pytest

from tests.support.everyday import DOZEN, PROGRAMS

pytestmark = pytest.mark.stack

# A dozen of them is tested in smoke/.
OTHERS = [name for name in PROGRAMS if name not in DOZEN]


@pytest.fixture(scope="module")
def ended(toolbox):
    """How each program ended: its exit status, its seconds, and what it printed."""
    return toolbox.in_notebook("run_everyday.py", stdin=json.dumps({name: PROGRAMS[name] for name in OTHERS}))


@pytest.mark.parametrize("name", OTHERS)
def test_in_the_notebook(ended, name):
    status, _, printed = ended[name]
    assert status == 0, printed
