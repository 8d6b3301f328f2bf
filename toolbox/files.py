"""Which files of the repository the linters look at."""


def shell_programs(root):
    """Return the paths below `root`, sorted, of the files that a POSIX shell or bash runs."""
    return sorted(str(path.relative_to(root)) for path in own_files(root) if interpreter(path).endswith("sh"))


def dockerfiles(root):
    """Return the paths below `root`, sorted, of the Dockerfiles."""
    return sorted(str(path.relative_to(root)) for path in own_files(root) if path.name == "Dockerfile")


def notebooks(root):
    """Return the paths below `root`, sorted, of the notebooks."""
    return sorted(str(path.relative_to(root)) for path in own_files(root) if path.suffix == ".ipynb")


def workflows(root):
    """Return the paths below `root`, sorted, of GitHub's workflows."""
    return sorted(str(path.relative_to(root)) for path in (root / ".github" / "workflows").glob("*.yml"))


def own_files(root):
    """Yield the files below `root`, without those of the version control and of the Python environment."""
    for path in root.iterdir():
        if path.is_file():
            yield path
        elif path.is_dir() and path.name not in (".git", ".venv"):
            yield from own_files(path)


def interpreter(path):
    """Return the program named in the first line of the file at `path`, such as `/bin/sh`; empty without one."""
    with path.open("rb") as file:
        first = file.readline(100)
    words = first[2:].decode(errors="replace").split() if first[:2] == b"#!" else []
    return next((word for word in reversed(words) if not word.startswith("-")), "")
