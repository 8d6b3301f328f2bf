#!/usr/bin/env python
"""Put the example notebooks of this image into the home folder, before Jupyter starts, and keep what the user changed.

A volume gets the files of an image only while it is empty, so an older home would never show them. Jupyter starts
whatever happens here; what could not be done is one line in the log.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

SHIPPED = Path("/opt/data-toolbox/examples")
# What was put there, by name: the SHA-256 of each file.
RECORD = ".shipped.json"


def main():
    """Put the examples there as the user of the notebook, and say what the user should know."""
    # So that any user of the group users, to whom the home belongs, can change them.
    os.umask(0o002)
    folder = Path.home() / "examples"
    try:
        if os.geteuid() == 0:
            # Started as root, the container runs this as root, and only Jupyter as the user.
            os.initgroups(os.environ["NB_USER"], int(os.environ["NB_GID"]))
            os.setgid(int(os.environ["NB_GID"]))
            os.setuid(int(os.environ["NB_UID"]))
        lines = put(SHIPPED, folder)
    except OSError as error:
        lines = [f"not all could be put into {folder} ({error.strerror}): mend that, and the next start does it."]
    for line in lines:
        print(f"examples: {line}", file=sys.stderr, flush=True)


def put(shipped, folder):
    """Bring the files of the folder `shipped` into another folder; return lines that say what was left or renamed.

    Raises OSError where the disk or the rights do not allow it. No file is lost or half written then.
    """
    if is_foreign(folder, Path.is_dir):
        return [f"{folder} is not a folder of this toolbox, so none are put there."]
    folder.mkdir(exist_ok=True)
    record = read(folder / RECORD)
    lines = []
    for source in sorted(shipped.iterdir()):
        target = folder / source.name
        if is_foreign(target, Path.is_file):
            lines.append(f"{target} is not a file of this toolbox, so it stays as it is.")
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
                lines.append(f"{target.name} is a newer one now, and yours with your changes is {kept.name}.")
            part.replace(target)
        record[source.name] = new
        written(folder / RECORD, json.dumps(record, indent=1).encode()).replace(folder / RECORD)
    return lines


def decision(new, recorded, present):
    """Return what to do about a file, from the digests of the image's, of the one put there last, and of the one that
    is there; each of the last two can be None.

    "put" writes it, "rename" keeps the user's under another name first, "note" only records it, "leave" does nothing.
    """
    if present == new:
        return "leave" if recorded == new else "note"
    if present is None or present == recorded:
        return "put"
    # The user changed it: that is a reason to touch it only when there is something new to see.
    return "leave" if recorded == new else "rename"


def is_foreign(path, is_kind):
    """Return whether something is at a path that this program has not put there: a link, or of another kind."""
    return path.is_symlink() or (path.exists() and not is_kind(path))


def free_name(path):
    """Return the first name for the user's version of a file that nothing has: x.yours.ipynb, then x.yours-2.ipynb."""
    number, name = 1, path.with_suffix(f".yours{path.suffix}")
    while os.path.lexists(name):
        number += 1
        name = path.with_suffix(f".yours-{number}{path.suffix}")
    return name


def written(path, content):
    """Write bytes beside a path, ready to be renamed to it; return where. Raises OSError, with nothing left behind."""
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
    """Return the record at a path, empty where there is none that can be read."""
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
