"""toolbox.show: tables, drawn on a terminal and plain elsewhere."""

import io
import re

import pytest
import rich.console

from toolbox import show

LONG = "http://127.0.0.1:8888/lab?token=" + "x" * 90
ROWS = [("SERVICE", "ADDRESS"), ("notebook", LONG), ("[b]mlflow[/b]", "short")]


def drawn(monkeypatch, **options):
    """Have show draw on a terminal of 60 columns; return the stream that has what it drew."""
    stream = io.StringIO()
    screen = rich.console.Console(file=stream, force_terminal=True, highlight=False, width=60, **options)
    monkeypatch.setattr(show, "console", lambda: screen)
    return stream


def without_codes(text):
    """Return a text without what moves the cursor and sets colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_table_is_plain_lines_where_no_terminal_is(capsys):
    show.table(ROWS)
    assert capsys.readouterr().out == f"SERVICE        ADDRESS\nnotebook       {LONG}\n[b]mlflow[/b]  short\n"


def test_a_table_is_drawn_on_a_terminal_and_no_address_is_cut(monkeypatch):
    stream = drawn(monkeypatch)
    show.table(ROWS)
    assert "\x1b[" in stream.getvalue()
    assert f"notebook       {LONG}\n" in without_codes(stream.getvalue())
    assert "[b]mlflow[/b]  short" in without_codes(stream.getvalue())


@pytest.mark.parametrize(
    ("terminal", "variables", "is_drawn", "has_colours"),
    [
        (True, {}, True, True),
        (True, {"NO_COLOR": "1"}, True, False),
        (True, {"TERM": "dumb"}, False, False),
        (False, {}, False, False),
    ],
    ids=["terminal", "NO_COLOR", "dumb terminal", "no terminal"],
)
def test_lines_are_drawn_on_terminals_alone_and_without_colours_where_none_are_wanted(
    monkeypatch, terminal, variables, is_drawn, has_colours
):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr("sys.stdout", stream)
    for name, value in ({"TERM": "xterm-256color", "NO_COLOR": ""} | variables).items():
        monkeypatch.setenv(name, value)
    if not variables.get("NO_COLOR"):
        monkeypatch.delenv("NO_COLOR")
    assert (show.console() is not None) == is_drawn
    show.table(ROWS)
    assert ("\x1b[3" in stream.getvalue()) == has_colours


def test_everything_is_plain_without_rich(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(show, "rich", None)
    show.table(ROWS)
    assert capsys.readouterr().out.startswith("SERVICE        ADDRESS\n")
