"""What the tasks show beside lines of text: tables, and how far a long step is."""

from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

# Wider than any row.
WIDTH = 100_000


def table(rows):
    """Print a table; `rows` are tuples of texts, the first of them the titles of the columns."""
    drawn = Table(*rows[0], box=None, pad_edge=False, header_style="bold")
    for row in rows[1:]:
        drawn.add_row(*map(Text, row))
    # Rich would break addresses to fit a terminal; on a dumb one it takes a width only with a height.
    Console(width=WIDTH, height=1, highlight=False).print(drawn, crop=False, soft_wrap=True)


def progress():
    """Return Rich's display of how many bytes of its tasks are done, for a `with`; nothing where no terminal is."""
    screen = Console(stderr=True)
    columns = (TextColumn("{task.description}"), DownloadColumn())
    return Progress(*columns, console=screen, transient=True, disable=not screen.is_interactive)


def counted(name, chunks, total=None):
    """Yield the pieces of bytes of `chunks`, and show how many bytes of `name` there were, perhaps of a `total`."""
    with progress() as shown:
        task = shown.add_task(name, total=total)
        for chunk in chunks:
            shown.advance(task, len(chunk))
            yield chunk
