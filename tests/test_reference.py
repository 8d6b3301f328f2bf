"""toolbox.reference: the reference of all settings."""

import re
import sys

import pytest
from layers import ROOT, docker, the_line

import tasks
from toolbox import reference
from toolbox.failure import Failure

COMPOSE = """
x-database: &database
  PASSWORD: ${PASSWORD:-}
services:
  secrets:
    environment: [TOKEN]
  notebook:
    ports: ["${ADDRESS:-127.0.0.1}:${PORT:-8888}:8888"]
  mlflow:
    environment:
      <<: *database
      ADDRESS: ${ADDRESS:-127.0.0.1}
  migrate:
    environment: *database
"""
EXAMPLE = """\
# What the file is.

# --- The first ---

# The address | of all.
# It is long.
#ADDRESS=127.0.0.1
#PORT=8888

# Told again.
#PASSWORD=

# Passed on.
#TOKEN=

# --- The second ---

# What it is, with a \\.
#OTHER=
"""


def row(name):
    """Return the cells of the row of a setting, for the texts above."""
    line = next(line for line in reference.made(COMPOSE, EXAMPLE).splitlines() if line.startswith(f"| `{name}`"))
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


# --- What is made of the two files ---


def test_a_setting_has_its_default_its_meaning_and_its_services():
    assert row("ADDRESS") == ["`ADDRESS`", "`127.0.0.1`", r"The address \| of all. It is long.", "notebook, mlflow"]


def test_settings_that_stand_together_share_what_is_said_of_them():
    assert row("PORT")[2] == row("ADDRESS")[2]


def test_what_is_said_of_one_setting_is_not_said_of_the_next():
    assert row("PASSWORD")[2] == "Told again."


def test_what_is_passed_on_as_it_is_set_is_known_too():
    assert row("TOKEN") == ["`TOKEN`", "empty", "Passed on.", "secrets"]


def test_services_that_share_a_block_both_get_what_is_in_it():
    assert row("PASSWORD")[3] == "mlflow, migrate"


def test_a_setting_of_no_service_is_one_of_compose():
    assert row("OTHER")[1:] == ["empty", r"What it is, with a \.", "Compose itself"]


def test_each_section_has_a_table():
    made = reference.made(COMPOSE, EXAMPLE)
    assert re.findall(r"^## (.*)$", made, flags=re.M) == ["The first", "The second"]
    assert made.count("\n| name | default |") == 2


def test_it_is_told_when_the_package_for_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(Failure) as raised:
        reference.made(COMPOSE, EXAMPLE)
    assert "./run" in the_line(raised)


# --- The file in docs ---


def test_the_reference_in_docs_is_what_would_be_made_now(tmp_path, monkeypatch):
    names = ("docker-compose.yml", ".env.example", "docs/configuration.md")
    (tmp_path / "docs").mkdir()
    for name in names[:2]:
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(tasks, "ROOT", tmp_path)
    tasks.write_reference(docker())
    made, there = ((folder / names[2]).read_text() for folder in (tmp_path, ROOT))
    assert made == there, 'run "./run reference"'


def test_the_reference_in_docs_has_every_variable_of_the_compose_file():
    used = re.findall(r"\$\{(\w+):?[-?+]", (ROOT / "docker-compose.yml").read_text())
    told = re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "configuration.md").read_text(), flags=re.M)
    assert set(used) - {"NAME"} <= set(told)
    assert len(told) == len(set(told))


def test_every_setting_in_the_reference_says_what_it_is():
    text = (ROOT / "docs" / "configuration.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.*) \| (.*) \|$", text, flags=re.M)
    assert rows
    assert [name for name, *cells in rows if not all(cells)] == []
