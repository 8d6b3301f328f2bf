"""benchmarks/fill.py: the batches in which runs are written, and that they are removed completely."""

import re

import pytest

from benchmarks import fill


class Recorder:
    """A stack that records the SQL that it would run."""

    def __init__(self):
        self.statements = []

    def sql(self, statement):
        """Record a statement."""
        self.statements.append(statement)


def batches(first, last):
    """Return the first and last number of each of the batches in which runs are written."""
    stack = Recorder()
    fill.runs(stack, 7, first, last)
    found = [re.search(r"generate_series\((\d+), (\d+)\) AS number", statement) for statement in stack.statements]
    return [tuple(map(int, numbers.groups())) for numbers in found]


@pytest.mark.parametrize(
    ("first", "last", "written"),
    [
        pytest.param(1, 1_000, [(1, 1_000)], id="less than a batch"),
        pytest.param(1, 10_000, [(1, 10_000)], id="a batch"),
        pytest.param(1_001, 21_001, [(1_001, 11_000), (11_001, 21_000), (21_001, 21_001)], id="more, and one over"),
    ],
)
def test_every_run_is_written_once(first, last, written):
    assert batches(first, last) == written


def test_rows_are_deleted_before_the_runs_that_they_refer_to():
    stack = Recorder()
    fill.remove(stack, 7)
    deleted = re.findall(r"DELETE FROM (\w+)", "".join(stack.statements))
    assert deleted[-2:] == ["runs", "experiments"]
    assert set(deleted) == set(re.findall(r"INSERT INTO (\w+)", fill.EXPERIMENT + fill.RUNS))
