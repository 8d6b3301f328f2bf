"""toolbox.passwords: whether the database has the passwords of .env, asked with a psql that is played by a script."""

import subprocess

import pytest
from copies import ABSURD
from layers import configuration, the_line

from toolbox import model, passwords

# Refuses, as Postgres does, whoever does not show the password that is in a file of the role's name.
PSQL = """#!/bin/sh
while [ "$1" ]; do
    case "$1" in -U | --username) role=$2 ;; esac
    shift
done
[ "$PGPASSWORD" = "$(cat "$(dirname "$0")/$role")" ] && echo 1 && exit
echo "psql: error: FATAL:  password authentication failed for user \\"$role\\"" >&2
exit 2
"""
ABSURD_PASSWORDS = {
    name: f"{name} {ABSURD}" for name in ("POSTGRES_PASSWORD", "MLFLOW_DB_PASSWORD", "ANALYST_DB_PASSWORD")
}


@pytest.fixture
def sh(tmp_path):
    """Run a shell program where psql knows the absurd passwords; return what it prints."""
    (tmp_path / "psql").write_text(PSQL)
    (tmp_path / "psql").chmod(0o755)
    for role, (name, _) in passwords.ROLES.items():
        (tmp_path / role).write_text(ABSURD_PASSWORDS[name])

    def run(*command, stdin="", **variables):
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"} | variables
        ran = subprocess.run(
            ["sh", "-c", *command], input=stdin, env=environment, capture_output=True, text=True, check=False
        )
        return ran.stdout

    return run


def answers(**others):
    """Return what the script prints when every role is accepted but for the given ones."""
    return "".join(f"{role} {others.get(role, 'accepted')}\n" for role in passwords.ROLES)


def test_the_right_passwords_are_accepted_whatever_characters_they_have(sh):
    config = configuration(**ABSURD_PASSWORDS)
    assert sh(passwords.SCRIPT, stdin=passwords.script_input(config)) == answers()


@pytest.mark.parametrize("role", passwords.ROLES)
def test_a_changed_password_is_found(sh, role):
    name = passwords.ROLES[role][0]
    config = configuration(**(ABSURD_PASSWORDS | {name: "another"}))
    assert sh(passwords.SCRIPT, stdin=passwords.script_input(config)) == answers(**{role: "refused"})


def test_a_database_that_is_not_up_yet_refuses_nobody(sh, tmp_path):
    (tmp_path / "psql").write_text("#!/bin/sh\necho 'connection to server failed: Connection refused' >&2\nexit 2\n")
    unanswered = answers(**dict.fromkeys(passwords.ROLES, "unanswered"))
    assert sh(passwords.SCRIPT, stdin=passwords.script_input(configuration())) == unanswered


@pytest.mark.parametrize("role", passwords.ROLES)
def test_the_psql_task_gets_in_with_the_password_that_the_container_has(sh, role):
    command = [passwords.psql(role), "psql", "--username", role]
    assert sh(*command, **ABSURD_PASSWORDS) == "1\n"
    assert sh(*command, **(ABSURD_PASSWORDS | {passwords.ROLES[role][0]: "another"})) == ""


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        (["analyst"], "ANALYST_DB_PASSWORD in .env is not what the database was created with: put the old value back."),
        (["postgres", "mlflow"], "POSTGRES_PASSWORD and MLFLOW_DB_PASSWORD in .env are not"),
    ],
    ids=["one", "two"],
)
def test_a_changed_password_is_told_by_the_name_of_its_setting(refused, told):
    with pytest.raises(passwords.Changed) as raised:
        passwords.check(answers(**dict.fromkeys(refused, "refused")))
    assert told in the_line(raised)


@pytest.mark.parametrize(
    ("said", "all_accepted"),
    [
        (answers(), True),
        (answers(analyst="unanswered"), False),
        ("postgres accepted\n", False),
        ("", False),
    ],
    ids=["all", "one not yet", "one only", "none"],
)
def test_the_database_is_ready_when_it_has_accepted_every_role(said, all_accepted):
    assert passwords.check(said) is all_accepted


def test_every_password_of_the_database_is_checked():
    assert {name for name, _ in passwords.ROLES.values()} == set(model.SECRETS) - {"JUPYTER_TOKEN"}


def test_a_message_of_docker_is_no_answer():
    assert not passwords.check("OCI runtime exec failed: exec failed: cannot exec in a stopped container: unknown\n")
