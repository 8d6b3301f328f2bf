"""Print the entries of a locked requirements file whose package is not installed yet.

Usage: missing.py REQUIREMENTS. The output is a requirements file again, hashes and markers included.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, version

ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)")


def missing(lines):
    """Yield the lines (with line endings) of the entries whose package is not installed.

    An entry starts with a package name in the first column; its hashes and comments follow, indented.
    """
    wanted = False
    for line in lines:
        if entry := ENTRY.match(line):
            wanted = not is_installed(entry["name"])
        if wanted:
            yield line


def is_installed(name):
    """Return whether this Python has a package of that name, in any version."""
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as lock:
        sys.stdout.writelines(missing(lock))
