"""How far a long step has come, for whoever watches."""

import sys
import time

PAUSE_SECONDS = 0.2
UNITS = ("B", "kB", "MB", "GB")


class Progress:
    """One line on the terminal that says what is done and how many bytes of it; nothing where no terminal is."""

    def __init__(self, stream=sys.stderr):
        self.stream = stream if stream.isatty() else None
        self.last = float("-inf")

    def __call__(self, name, size, total=None):
        """Show that `size` bytes of `name` are done, of `total` if that is known."""
        if self.stream and time.monotonic() - self.last >= PAUSE_SECONDS:
            self.last = time.monotonic()
            of = f" of about {in_words(total)}" if total else ""
            self.show(f"{name}: {in_words(size)}{of}")

    def show(self, text):
        """Replace the line by `text`."""
        if self.stream:
            self.stream.write(f"\r\x1b[K{text}")
            self.stream.flush()

    def counted(self, name, chunks, total=None):
        """Yield the pieces of bytes of `chunks`, and show how many bytes of `name` there were."""
        size = 0
        for chunk in chunks:
            size += len(chunk)
            self(name, size, total)
            yield chunk
        self.show("")


def in_words(size):
    """Return a number of bytes as people write it, such as 1.2 GB."""
    number, unit = float(size), 0
    while number >= 999.95 and unit < len(UNITS) - 1:
        number, unit = number / 1000, unit + 1
    if unit == 0:
        return f"{size} B"
    return f"{number:.1f} {UNITS[unit]}" if number < 1000 else f"{number:.0f} {UNITS[unit]}"
