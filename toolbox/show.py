"""What the tasks show: drawn by Rich where a person looks on, and plain lines everywhere else."""

import sys
import time

from . import report
from .progress import in_seconds

try:
    import rich.console
    import rich.live
    import rich.markup
    import rich.spinner
    import rich.table
except ImportError:
    # Whoever calls `invoke` directly may have that alone: the lines are plain then.
    rich = None

# How often what moves is drawn, a second.
DRAWN_A_SECOND = 8
MARKS = {True: ("✓", "green"), False: ("✗", "red")}


def console():
    """Return Rich's console for standard output, or None where lines are to be plain.

    It draws no colours where NO_COLOR is set, and plain lines are for what is no terminal or a dumb one.
    """
    if rich is None or not sys.stdout.isatty():
        return None
    screen = rich.console.Console(highlight=False)
    return None if screen.is_dumb_terminal else screen


def table(rows):
    """Print a table; `rows` are tuples of texts, the first of them the titles of the columns."""
    screen = console()
    if screen is None:
        print(*report.table(rows), sep="\n", flush=True)
        return
    drawn = rich.table.Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for number, title in enumerate(rows[0]):
        drawn.add_column(title, style="" if number else "cyan")
    for row in rows[1:]:
        drawn.add_row(*map(rich.markup.escape, row))
    # Where a terminal is too narrow it breaks the lines; Rich would break what is in them, and addresses must be whole.
    screen.width = max(screen.width, sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True)))
    screen.print(drawn, crop=False, soft_wrap=True)


class Steps:
    """Steps that take a while, each with a name, what it is at, and its seconds; to be used as a context.

    On a terminal it is a line for each that is kept up to date, in the order of `names` as far as they are there;
    elsewhere it is one line when a step has ended.
    """

    def __init__(self, names=()):
        self.names = names
        self.steps = {}
        screen = console()
        self.live = screen and rich.live.Live(
            console=screen, get_renderable=self.drawn, refresh_per_second=DRAWN_A_SECOND, vertical_overflow="visible"
        )

    def __enter__(self):
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_):
        if self.live:
            self.live.stop()

    def at(self, name, text):
        """Say what the step `name`, which has begun with the first call, is at."""
        step = self.steps.setdefault(name, {"begin": time.monotonic(), "end": None})
        if step["end"] is None:
            step["text"] = text

    def ended(self, name, text, well=True):
        """Say how the step `name` has ended, `well` or not. What has ended stays so."""
        self.at(name, text)
        step = self.steps[name]
        if step["end"] is None:
            step |= {"end": time.monotonic(), "well": well}
            if not self.live:
                print(f"{name}: {text}, {in_seconds(step['end'] - step['begin'])}", flush=True)

    def all_ended(self, text):
        """Say that every step has ended well that has not ended yet."""
        for name in list(self.steps):
            self.ended(name, text)

    def drawn(self):
        """Return the lines as Rich draws them."""
        lines = rich.table.Table.grid(padding=(0, 2, 0, 0))
        known = [name for name in self.names if name in self.steps]
        for name in known + [name for name in self.steps if name not in known]:
            step = self.steps[name]
            if step["end"] is None:
                mark = step.setdefault("spinner", rich.spinner.Spinner("dots", style="cyan"))
            else:
                sign, colour = MARKS[step["well"]]
                mark = f"[{colour}]{sign}[/]"
            seconds = in_seconds((step["end"] or time.monotonic()) - step["begin"])
            lines.add_row(mark, name, rich.markup.escape(step["text"]), f"[dim]{seconds}[/]")
        return lines
