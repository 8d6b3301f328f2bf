"""`invoke dev.pictures`: its errors."""

import sys

import pytest

from tests.support import screenshots
from tests.support.layers import ROOT, docker
from toolbox import dev
from toolbox.errors import Failure


class Failing:
    """A toolbox whose build raises an error."""

    def __init__(self, error):
        self.error, self.removed = error, False

    def build(self):
        raise self.error

    def remove(self):
        self.removed = True


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Failure("no room: make some."), "FAIL: no room: make some."),
        (AssertionError("nothing\nshows"), "FAIL: the screenshots could not be taken (nothing shows): "),
        (KeyboardInterrupt(), "FAIL: interrupted: "),
    ],
    ids=["a failure", "a page that does not show", "Ctrl-C"],
)
def test_an_error_is_one_line_and_leaves_neither_screenshots_nor_a_toolbox(tmp_path, monkeypatch, error, line):
    toolbox = Failing(error)
    monkeypatch.setattr(screenshots.stacks, "Ours", lambda _: toolbox)
    # The program would change the handlers of this process permanently.
    monkeypatch.setattr(screenshots.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        screenshots.main(tmp_path)
    assert ended.value.code.startswith(line)
    assert "\n" not in ended.value.code
    assert toolbox.removed
    assert list(tmp_path.iterdir()) == []


def test_the_task_pictures_replaces_its_process_with_the_program(monkeypatch):
    called = []
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(dev.os, "execv", lambda *arguments: called.append(arguments))
    dev.pictures(docker())
    assert called == [(sys.executable, [sys.executable, "-m", screenshots.__name__])]
