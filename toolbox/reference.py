"""The reference of all settings, docs/configuration.md, made from the two files that decide them."""

import json
import re

from .failure import Failure

HEAD = """\
# All settings

Made by `./run reference` from [docker-compose.yml](../docker-compose.yml) and [.env.example](../.env.example), which
decide: change those, not this.

A setting is a line `NAME=value` in the file `.env`; one in the environment of a task or of Compose comes first, and a
task says so. A value with spaces, quotes or `$` stands between single quotes. `./run up` applies what changed. The last
column names the services that have the setting, whose containers a change replaces. `./run doctor` finds misspelled
names.
"""


def made(compose, example):
    """Return the text of docs/configuration.md for the text of docker-compose.yml and that of .env.example.

    A table for each section of .env.example; a variable that is missing there is not in it.
    """
    used = users(compose)
    parts = [HEAD]
    for title, settings in sections(example):
        parts += [f"\n## {title}\n\n", "| name | default | what it is | used by |\n|---|---|---|---|\n"]
        for name, default, meaning in settings:
            parts.append(f"| `{name}` | {default} | {meaning} | {', '.join(used.get(name, ['Compose itself']))} |\n")
    return "".join(parts)


def users(compose):
    """Return, by variable, the services that `compose`, the text of docker-compose.yml, gives it to, in its order."""
    try:
        import yaml
    except ImportError:
        # Whoever calls `invoke` directly may not have it, and needs it for this task alone.
        raise Failure("the Python package pyyaml is not installed: use ./run in the place of invoke.") from None
    found = {}
    for service, entry in yaml.safe_load(compose)["services"].items():
        variables = entry.get("environment")
        passed_on = variables if isinstance(variables, list) else []
        for name in sorted({*re.findall(r"\$\{(\w+)", json.dumps(entry)), *passed_on}):
            found.setdefault(name, []).append(service)
    return found


def sections(example):
    """Yield the title of each section of `example`, the text of .env.example, and its settings.

    Each setting has a name, a default and a meaning, the last two in Markdown. A comment is about all the settings that
    follow without an empty line between them.
    """
    for part in re.split(r"^--- ", example.replace("\n# --- ", "\n--- "), flags=re.M)[1:]:
        title, _, text = part.partition(" ---\n")
        settings, comment, is_told = [], [], False
        for line in text.splitlines():
            if setting := re.match(r"#(\w+)=(.*)", line):
                default = cell(f"`{setting[2]}`") if setting[2] else "empty"
                settings.append((setting[1], default, cell(" ".join(comment))))
                is_told = True
            elif is_told or not line:
                comment, is_told = [line[2:]] if line else [], False
            else:
                comment.append(line[2:])
        yield title, settings


def cell(text):
    """Return `text` as it is written in a table: a bar would end its cell."""
    return text.replace("|", "\\|")
