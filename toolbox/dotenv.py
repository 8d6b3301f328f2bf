"""The file .env: its settings, changing single ones, and what is wrong with it.

Docker Compose reads the file; what its values mean is asked from Compose (model.py) and not decided here. Without
python-dotenv, which does not read all that Compose reads (`NAME: value`), and does not sync what it writes to the disk.
"""

import contextlib
import os
import re
from pathlib import Path

from .errors import Failure

# A name and its value as Compose finds them.
ENTRY = re.compile(
    r"""
    ^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)[ \t]*[=:][ \t]*
    (?:'(?P<single>(?:\\(?s:.)|[^\\'])*)' | "(?P<double>(?:\\(?s:.)|[^\\"])*)" | (?P<plain>.*?)[ \t]*(?:[ ]\#.*)?$)
    """,
    flags=re.MULTILINE | re.VERBOSE,
)


def with_value(text, name, value):
    """Return `text`, a .env file, with `name` set to `value`; a commented-out `name` is set where it stands.

    `value` is written as it is: one that needs quotes must bring them.
    """
    for entry in (rf"^{name}=.*$", rf"^#{name}=.*$"):
        if re.search(entry, text, flags=re.M):
            return re.sub(entry, lambda _: f"{name}={value}", text, flags=re.M)
    return f"{text.rstrip()}\n{name}={value}\n".lstrip()


def without_value(text, name, default):
    """Return `text`, a .env file, with `name` commented out: there it shows the `default` that holds again."""
    return re.sub(rf"^{name}=.*$", lambda _: f"#{name}={default}", text, flags=re.M)


def values(text):
    """Return the variables that `text`, a .env file, sets, with what is written there, without quotes around it."""
    return {entry["name"]: entry["single"] or entry["double"] or entry["plain"] or "" for entry in ENTRY.finditer(text)}


def defaults(example):
    """Return the variables that `example`, the text of .env.example, explains, each with its default."""
    return dict(re.findall(r"^#?(\w+)=(.*)$", example, flags=re.M))


def read(path):
    """Return the text of the .env file at `path`, which is empty where there is none.

    Raises Failure when it cannot be read, or when it has Windows line ends, which some readers take for part of a
    password.
    """
    try:
        # Reading from a pipe would wait.
        if path.exists() and not path.is_file():
            raise Failure(f"{path} is not a file: delete it, or call it something else.")
        content = path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            raise Failure(f"{path} is a link to {os.readlink(path)}, which is not there: mend or delete it.") from None
        return ""
    except OSError as error:
        raise Failure(f"{path} cannot be read ({error.strerror}): see who owns it, and its mode.") from None
    if b"\r" in content:
        raise Failure(f"{path} has Windows line ends (CRLF): save it with Unix line ends (LF).")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Failure(f"{path} has characters that are not UTF-8: save it in that encoding.") from None


def write(path, text):
    """Write `text` to the .env file at `path`, readable by its owner alone, and to the disk: whole, or it is as before.

    Raises Failure when it cannot be written.
    """
    # A link stays one.
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
        raise Failure(f"{path} cannot be written ({error.strerror}), and a setting has to be noted there.") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def sync_folder(folder):
    """Have the names in a folder on the disk, so that they are there after a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
