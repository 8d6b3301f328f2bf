"""The file .env: reading and changing its settings.

Docker Compose resolves the values, see compose.py. python-dotenv is not used, because it does not read all that Compose
reads (`NAME: value`), and does not sync what it writes to the disk.
"""

import contextlib
import os
import re
from pathlib import Path

from .errors import Failure

# A name and its value in the syntax of Compose.
ENTRY = re.compile(
    r"""
    ^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)[ \t]*[=:][ \t]*
    (?:'(?P<single>(?:\\(?s:.)|[^\\'])*)' | "(?P<double>(?:\\(?s:.)|[^\\"])*)" | (?P<plain>.*?)[ \t]*(?:[ ]\#.*)?$)
    """,
    flags=re.MULTILINE | re.VERBOSE,
)


def with_value(text, name, value):
    """Return `text`, a .env file, with `name` set to `value`, in place, also if it is commented out.

    `value` is written verbatim, so it has to include quotes if it needs them.
    """
    for entry in (rf"^{name}=.*$", rf"^#{name}=.*$"):
        if re.search(entry, text, flags=re.M):
            return re.sub(entry, lambda _: f"{name}={value}", text, flags=re.M)
    return f"{text.rstrip()}\n{name}={value}\n".lstrip()


def without_value(text, name, default):
    """Return `text`, a .env file, with `name` commented out, with the `default` as its value."""
    return re.sub(rf"^{name}=.*$", lambda _: f"#{name}={default}", text, flags=re.M)


def values(text):
    """Return the variables that `text`, a .env file, sets, with their values as written, without quotes."""
    return {entry["name"]: entry["single"] or entry["double"] or entry["plain"] or "" for entry in ENTRY.finditer(text)}


def defaults(example):
    """Return the variables in `example`, the text of .env.example, with their defaults."""
    return dict(re.findall(r"^#?(\w+)=(.*)$", example, flags=re.M))


def read(path):
    """Return the text of the .env file at `path`, empty if it does not exist.

    Raises Failure when it cannot be read, or has Windows line endings, which would become part of a password.
    """
    try:
        # Reading from a pipe would block.
        if path.exists() and not path.is_file():
            raise Failure(f"{path} is not a file: delete or rename it.")
        content = path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            raise Failure(f"{path} is a link to {os.readlink(path)}, which does not exist: fix or delete it.") from None
        return ""
    except OSError as error:
        raise Failure(f"{path} cannot be read ({error.strerror}): check its owner and mode.") from None
    if b"\r" in content:
        raise Failure(f"{path} has Windows line endings (CRLF): save it with Unix line endings (LF).")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Failure(f"{path} is not valid UTF-8: save it in that encoding.") from None


def write(path, text):
    """Write `text` to the .env file at `path`, readable only by its owner, atomically, and sync it to the disk.

    Raises Failure when it cannot be written; the file is then unchanged.
    """
    # Keep a symbolic link.
    place = Path(os.path.realpath(path))
    part = place.with_name(f"{place.name}.part")
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(place)
        sync_folder(place.parent)
    except OSError as error:
        raise Failure(f"{path} cannot be written ({error.strerror}): check its owner and disk.") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def sync_folder(folder):
    """Sync the entries of a directory to the disk, so that they survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
