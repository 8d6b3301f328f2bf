"""toolbox.silent_runs: the table of running runs, and the option --end."""

import pytest

from tests.support.layers import error_line
from toolbox import console, silent_runs
from toolbox.errors import Failure

MINUTE, HOUR = 60_000, 3_600_000


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0 min"),
        (-5, "0 min"),
        (119 * MINUTE, "119 min"),
        (2 * HOUR, "2 h"),
        (47 * HOUR, "47 h"),
        (48 * HOUR, "2 d"),
    ],
)
def test_the_silence_of_a_run_is_shown_in_one_unit(milliseconds, words):
    assert silent_runs.silence(milliseconds) == words


def test_the_table_of_runs_fits_80_columns_whatever_the_names_are(capsys):
    console.table(silent_runs.rows([("0" * 32, "x" * 200, "two\nlines " * 9, None, 0)], 9999 * 24 * HOUR))
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_names_of_runs_cannot_control_the_terminal():
    rows = silent_runs.rows([("0" * 32, "\x1b[2Jx", "\x9b2Jy", "\x1b]0;z\x07", 0)], HOUR)
    assert rows[1][1:4] == ("[2Jx", "2Jy", "]0;z")


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "1e3", "٣"])
def test_an_end_that_is_not_a_number_of_hours_is_refused(text):
    with pytest.raises(Failure) as raised:
        silent_runs.hours(text)
    assert "--end" in error_line(raised)
