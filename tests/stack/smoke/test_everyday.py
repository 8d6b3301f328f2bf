"""A dozen of the programs that people type from tutorials work in the notebook; the others are in use/."""

import json

import pytest

from tests.support.everyday import DOZEN, PROGRAMS

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("toolbox")]


@pytest.fixture(scope="module")
def ended(toolbox):
    """How each program ended: its exit status, its seconds, and what it printed."""
    return toolbox.in_notebook("run_everyday.py", stdin=json.dumps({name: PROGRAMS[name] for name in DOZEN}))


@pytest.mark.parametrize("name", DOZEN)
def test_in_the_notebook(ended, name):
    status, _, printed = ended[name]
    assert status == 0, printed
