"""toolbox.console: tables and progress, styled on a terminal and plain elsewhere."""

import io
import re

import pytest

from toolbox import console

LONG = "http://127.0.0.1:8888/lab?token=" + "x" * 90
ROWS = [("SERVICE", "ADDRESS"), ("notebook", LONG), ("[b]mlflow[/b]", "short")]


@pytest.fixture
def terminal(monkeypatch):
    """A function that makes standard output or error a terminal of 60 columns; it returns what is written there."""

    def made(name, **variables):
        stream = io.StringIO()
        stream.isatty = lambda: True
        monkeypatch.setattr(f"sys.{name}", stream)
        for variable, value in ({"TERM": "xterm-256color", "COLUMNS": "60"} | variables).items():
            monkeypatch.setenv(variable, value)
        return stream

    monkeypatch.delenv("NO_COLOR", raising=False)
    return made


def without_codes(text):
    """Return a text without terminal control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def lines(text):
    """Return the lines of a text without trailing blanks."""
    return [line.rstrip() for line in text.splitlines()]


TABLE = ["SERVICE        ADDRESS", f"notebook       {LONG}", "[b]mlflow[/b]  short"]


def test_a_table_is_plain_lines_without_a_terminal(capsys):
    console.table(ROWS)
    assert lines(capsys.readouterr().out) == TABLE


def test_a_table_is_styled_on_a_terminal_and_no_address_is_cut(terminal):
    stream = terminal("stdout")
    console.table(ROWS)
    assert "\x1b[1m" in stream.getvalue()
    assert lines(without_codes(stream.getvalue())) == TABLE


def test_a_table_is_plain_on_a_dumb_terminal(terminal):
    stream = terminal("stdout", TERM="dumb")
    console.table(ROWS)
    assert lines(stream.getvalue()) == TABLE


def test_the_progress_of_a_long_step_is_shown_on_a_terminal(terminal):
    stream = terminal("stderr")
    assert list(console.counted("home", [b"12", b"345"], 5)) == [b"12", b"345"]
    assert "home 5/5 bytes" in without_codes(stream.getvalue())


@pytest.mark.parametrize("variables", [None, {"TERM": "dumb"}], ids=["a file", "a dumb terminal"])
def test_no_progress_is_shown_without_a_capable_terminal(terminal, capsys, variables):
    stream = terminal("stderr", **variables) if variables else io.StringIO()
    assert list(console.counted("home", [b"12", b"345"])) == [b"12", b"345"]
    assert stream.getvalue() + "".join(capsys.readouterr()) == ""
