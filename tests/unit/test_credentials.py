"""toolbox.credentials: reading and renewing the secrets, and which of them the database rejects."""

import subprocess

import pytest

from tests.support.copies import ABSURD
from tests.support.layers import SECRETS, changing_commands, configuration, error_line, fake_toolbox
from toolbox import credentials
from toolbox.errors import Failure

# Like Postgres, rejects a role that does not send the password in the role's file.
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
    """Run the check where the files have absurd passwords and the database expects others; return its output."""
    (folder / "psql").write_text(PSQL)
    (folder / "psql").chmod(0o755)
    for role in credentials.ROLES:
        (folder / role).write_text(f"{role}{ABSURD}\n")
        (folder / f"{role}-takes").write_text(takes.get(role, f"{role}{ABSURD}"))
    command = ["sh", "-c", credentials.CHECK.replace("/secrets/", f"{folder}/"), "-", *credentials.ROLES]
    ran = subprocess.run(command, env={"PATH": f"{folder}:/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    return ran.stdout.split()


def test_the_right_passwords_are_accepted_whatever_characters_they_have(tmp_path):
    assert refused(tmp_path) == []


@pytest.mark.parametrize("role", credentials.ROLES)
def test_a_role_whose_password_is_rejected_is_found(tmp_path, role):
    assert refused(tmp_path, **{role: "another"}) == [role]


def test_a_secret_is_read_verbatim_without_the_final_newline():
    c = fake_toolbox({"docker compose exec --no-TTY postgres cat /secrets/analyst": f"{ABSURD}\n"})
    assert credentials.read(c, "postgres", "analyst") == ABSURD


def test_reading_a_secret_of_a_stopped_service_fails_with_the_remedy():
    with pytest.raises(Failure) as raised:
        credentials.read(fake_toolbox({"docker compose exec": False}), "notebook", "token")
    assert 'notebook is not running, or has no secrets: "invoke up" starts it.' in error_line(raised)


def test_all_services_are_stopped_before_and_after_secrets_are_renewed():
    c = fake_toolbox()
    credentials.renew(c)
    assert changing_commands(c) == ["docker compose stop", NEW, "docker compose stop"]


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_not_renewed_if_one_is_set_in_env(name):
    c = fake_toolbox(config=configuration(**{name: "mine"}))
    with pytest.raises(Failure) as raised:
        credentials.renew(c)
    assert f"{name} in .env would take precedence: remove it there" in error_line(raised)
    assert changing_commands(c) == []


def test_no_secret_is_changed_if_stopping_the_services_fails_or_is_interrupted():
    c = fake_toolbox({"docker compose stop": False})
    with pytest.raises(Failure) as raised:
        credentials.renew(c)
    assert "no secret was changed" in error_line(raised)
    assert changing_commands(c) == ["docker compose stop"]


def test_an_incomplete_renewal_of_secrets_is_reported_with_the_remedy():
    with pytest.raises(Failure) as raised:
        credentials.renew(fake_toolbox({NEW: False}))
    assert 'some secrets may be unchanged: start with "invoke up", and "invoke rotate" again.' in error_line(raised)
