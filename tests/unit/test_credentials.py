"""toolbox.credentials: reading the secrets, having new ones made, and which of them the database takes."""

import subprocess

import pytest

from tests.support.copies import ABSURD
from tests.support.layers import SECRETS, a_toolbox, configuration, doings, the_line
from toolbox import credentials
from toolbox.errors import Failure

# Refuses, as Postgres does, whoever does not show the password that is in a file of the role's name.
PSQL = """#!/bin/sh
while [ "$1" ]; do
    case "$1" in -U) role=$2 ;; esac
    shift
done
[ "$PGPASSWORD" = "$(cat "$(dirname "$0")/$role-takes")" ] && exit
echo "FATAL:  password authentication failed for user \\"$role\\"" >&2
exit 2
"""
NEW = "docker compose run --rm --no-TTY secrets --new"


def refused(folder, **takes):
    """Run the check where the roles' files have absurd passwords and a database takes others; return what it prints."""
    (folder / "psql").write_text(PSQL)
    (folder / "psql").chmod(0o755)
    for role in credentials.ROLES:
        (folder / role).write_text(f"{role}{ABSURD}\n")
        (folder / f"{role}-takes").write_text(takes.get(role, f"{role}{ABSURD}"))
    command = ["sh", "-c", credentials.CHECK.replace("/secrets/", f"{folder}/"), "-", *credentials.ROLES]
    ran = subprocess.run(command, env={"PATH": f"{folder}:/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    return ran.stdout.split()


def test_the_right_passwords_are_taken_whatever_characters_they_have(tmp_path):
    assert refused(tmp_path) == []


@pytest.mark.parametrize("role", credentials.ROLES)
def test_a_role_with_another_password_is_found(tmp_path, role):
    assert refused(tmp_path, **{role: "another"}) == [role]


def test_a_secret_is_read_as_it_is_without_the_end_of_its_line():
    c = a_toolbox({"docker compose exec --no-TTY postgres cat /secrets/analyst": f"{ABSURD}\n"})
    assert credentials.read(c, "postgres", "analyst") == ABSURD


def test_a_service_that_does_not_run_is_told_with_what_starts_it():
    with pytest.raises(Failure) as raised:
        credentials.read(a_toolbox({"docker compose exec": False}), "notebook", "token")
    assert 'notebook does not run, or has no secrets: "invoke up" starts it.' in the_line(raised)


def test_everything_is_stopped_before_and_after_new_ones_are_made():
    c = a_toolbox()
    credentials.renew(c)
    assert doings(c) == ["docker compose stop", NEW, "docker compose stop"]


@pytest.mark.parametrize("name", SECRETS)
def test_one_that_is_set_would_not_change_so_nothing_is_done(name):
    c = a_toolbox(config=configuration(**{name: "mine"}))
    with pytest.raises(Failure) as raised:
        credentials.renew(c)
    assert f"{name} in .env would still count: take that out there" in the_line(raised)
    assert doings(c) == []


def test_where_not_all_could_be_stopped_or_ctrl_c_was_typed_meanwhile_no_secret_changes():
    c = a_toolbox({"docker compose stop": False})
    with pytest.raises(Failure) as raised:
        credentials.renew(c)
    assert "all secrets are what they were" in the_line(raised)
    assert doings(c) == ["docker compose stop"]


def test_where_not_all_new_ones_were_made_the_way_on_is_told():
    with pytest.raises(Failure) as raised:
        credentials.renew(a_toolbox({NEW: False}))
    assert 'perhaps not all secrets are new: start with "invoke up", and "invoke rotate" again.' in the_line(raised)
