"""What the tasks show: drawn by Rich where a person looks on, and plain lines everywhere else."""

import sys

from . import report

try:
    import rich.console
    import rich.markup
    import rich.table
except ImportError:
    # Whoever calls `invoke` directly may have that alone: the lines are plain then.
    rich = None


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
