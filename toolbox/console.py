"""Tables, and the progress of long steps."""

from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

# Wider than any row.
WIDTH = 100_000


def table(rows):
    """Print a table; `rows` are tuples of texts, the first has the column titles."""
    drawn = Table(*rows[0], box=None, pad_edge=False, header_style="bold")
    for row in rows[1:]:
        drawn.add_row(*map(Text, row))
    # Rich would wrap addresses to fit a terminal; on a dumb one it ignores a width without a height.
    Console(width=WIDTH, height=1, highlight=False).print(drawn, crop=False, soft_wrap=True)


def progress():
    """Return Rich's display of the bytes done, a context manager, which shows nothing without a terminal."""
    screen = Console(stderr=True)
    columns = (TextColumn("{task.description}"), DownloadColumn())
    return Progress(*columns, console=screen, transient=True, disable=not screen.is_interactive)


def counted(name, chunks, total=None):
    """Yield the chunks of bytes, and show how many bytes of `name` are done, and the `total` if it is known."""
    with progress() as shown:
        task = shown.add_task(name, total=total)
        for chunk in chunks:
            shown.advance(task, len(chunk))
            yield chunk
