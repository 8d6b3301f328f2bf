#!/usr/bin/env python
"""Copy the example notebooks of this image to the home, before Jupyter starts, and keep the user's changes.

A volume receives files of an image only while it is empty, so an existing home would never get them. An error here is
one line in the log and does not prevent Jupyter from starting.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

SHIPPED = Path("/opt/data-toolbox/examples")
# Maps the names of copied files to their SHA-256.
RECORD = ".shipped.json"


def main():
    """Copy the examples as the notebook's user, and log messages for that user."""
    # Writable for the group users, which owns the home.
    os.umask(0o002)
    folder = Path.home() / "examples"
    try:
        if os.geteuid() == 0:
            # In a container started as root, only Jupyter runs as the user.
            os.initgroups(os.environ["NB_USER"], int(os.environ["NB_GID"]))
            os.setgid(int(os.environ["NB_GID"]))
            os.setuid(int(os.environ["NB_UID"]))
        lines = put(SHIPPED, folder)
    except OSError as error:
        lines = [f"not all could be copied to {folder} ({error.strerror}): fix that, and the next start copies them."]
    for line in lines:
        print(f"examples: {line}", file=sys.stderr, flush=True)


def put(shipped, folder):
    """Copy the files of the folder `shipped` to another folder; return messages about skipped and renamed files.

    Raises OSError if the disk or permissions do not allow it; no file is lost or half written then.
    """
    if is_foreign(folder, Path.is_dir):
        return [f"{folder} is not a folder of this toolbox, so no examples are copied there."]
    folder.mkdir(exist_ok=True)
    record = read(folder / RECORD)
    lines = []
    for source in sorted(shipped.iterdir()):
        target = folder / source.name
        if is_foreign(target, Path.is_file):
            lines.append(f"{target} is not a file of this toolbox, so it is kept.")
            continue
        content = source.read_bytes()
        new, present = digest(content), digest(target.read_bytes()) if target.exists() else None
        todo = decision(new, record.get(source.name), present)
        if todo == "leave":
            continue
        if todo != "note":
            part = written(target, content)
            if todo == "rename":
                kept = free_name(target)
                target.rename(kept)
                lines.append(f"{target.name} was updated, and your changed version is now {kept.name}.")
            part.replace(target)
        record[source.name] = new
        written(folder / RECORD, json.dumps(record, indent=1).encode()).replace(folder / RECORD)
    return lines


def decision(new, recorded, present):
    """Return what to do with a file, given the digests of the image's file, the one copied last, and the present one.

    Each of the last two can be None.

    "put" writes it, "rename" first renames the user's version, "note" only records it, "leave" does nothing.
    """
    if present == new:
        return "leave" if recorded == new else "note"
    if present is None or present == recorded:
        return "put"
    # The user changed it, so touch it only if there is a newer version.
    return "leave" if recorded == new else "rename"


def is_foreign(path, is_kind):
    """Return whether a path is a symbolic link or of another kind, so not from this program."""
    return path.is_symlink() or (path.exists() and not is_kind(path))


def free_name(path):
    """Return the first unused name for the user's version of a file: x.yours.ipynb, then x.yours-2.ipynb."""
    number, name = 1, path.with_suffix(f".yours{path.suffix}")
    while os.path.lexists(name):
        number += 1
        name = path.with_suffix(f".yours-{number}{path.suffix}")
    return name


def written(path, content):
    """Write bytes to a file next to `path`, to be renamed to it; return its path. Raises OSError, leaving no file."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        part.unlink(missing_ok=True)
        raise
    return part


def read(path):
    """Return the record at a path, empty if it is missing or unreadable."""
    try:
        record = json.loads(path.read_bytes()) if not is_foreign(path, Path.is_file) else {}
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def digest(content):
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
