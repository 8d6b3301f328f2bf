"""toolbox.show: tables and steps, drawn on a terminal and plain elsewhere."""

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
    with show.Steps() as steps:
        steps.at("build", "1 of 2")
        steps.ended("build", "ready")
    show.table(ROWS)
    assert capsys.readouterr().out.startswith("build: ready, 0.0 s\nSERVICE        ADDRESS\n")


def test_steps_are_told_once_when_they_end_where_no_terminal_is(capsys):
    with show.Steps() as steps:
        steps.at("postgres", "starting")
        assert capsys.readouterr().out == ""
        steps.ended("postgres", "healthy")
        steps.ended("postgres", "something else")
        steps.at("mlflow", "starting")
        steps.all_ended("ready")
    assert capsys.readouterr().out == "postgres: healthy, 0.0 s\nmlflow: ready, 0.0 s\n"


def test_steps_are_drawn_on_a_terminal_in_their_order_with_what_they_are_at(monkeypatch):
    stream = drawn(monkeypatch)
    with show.Steps(("postgres", "mlflow")) as steps:
        steps.at("mlflow", "2 of 3: RUN [a]")
        steps.at("postgres", "starting")
        steps.ended("other", "failed", well=False)
        steps.ended("postgres", "healthy")
    lines = [line.split() for line in without_codes(stream.getvalue()).splitlines()[-3:]]
    assert [line[1:-2] for line in lines] == [
        ["postgres", "healthy"],
        ["mlflow", *["2", "of", "3:", "RUN", "[a]"]],
        ["other", "failed"],
    ]
    assert [line[0] for line in lines][::2] == ["✓", "✗"]
