"""What `invoke doctor` finds on a running toolbox: nothing when it is well, and all that was broken on purpose."""

import re
import shlex

import pytest

from tests.support.copies import PASSWORDS, Copy
from toolbox import compose, diagnostics
from toolbox.data import backup

pytestmark = pytest.mark.stack


def examined(toolbox):
    """Run the doctor; return its exit code and its lines as (level, what was looked at, what was found)."""
    result = toolbox.invoke("doctor")
    assert result.stderr == ""
    assert [password for password in PASSWORDS.values() if password.strip() in result.stdout] == []
    *lines, _, _ = result.stdout.splitlines()
    return result.returncode, [tuple(line.split(maxsplit=2)) for line in lines]


def bad(findings):
    """Return those findings that are not ok, by what was looked at."""
    return {check: f"{level} {text}" for level, check, text in findings if level != "ok"}


def test_all_is_well_when_nothing_is_broken(toolbox):
    code, findings = examined(toolbox)
    assert [check for _, check, _ in findings] == [name for name in diagnostics.CHECKS if name != "folder"]
    # A machine in a cloud is warned.
    assert bad(findings).keys() <= {"cloud"}
    assert code == 0


def test_it_changes_nothing(toolbox):
    def state():
        filters = [("--filter", f"ancestor={toolbox.project}-{service}") for service in compose.SERVICES]
        containers = [toolbox.run("docker", "ps", "--all", "--quiet", *chosen).stdout for chosen in filters]
        started = [toolbox.inspect(service)["State"]["StartedAt"] for service in compose.SERVICES]
        return containers, started, toolbox.remains(), toolbox.env.read_bytes()

    before = state()
    examined(toolbox)
    assert state() == before


def test_the_revisions_are_those_that_alembic_finds(toolbox):
    commands = (("cat", "/opt/mlflow/revisions"), ("python", "-c", backup.REVISIONS))
    ran = [toolbox.host("mlflow").check_output(" ".join(["%s"] * len(command)), *command) for command in commands]
    quick, thorough = (printed.split() for printed in ran)
    assert quick[:2] == thorough[:2]
    assert sorted(quick) == sorted(thorough)


def test_a_misspelt_variable_is_a_warning(toolbox):
    with toolbox.changed(MLFLOW_WORKER=3):
        code, findings = examined(toolbox)
    assert bad(findings)[".env"].startswith("warn MLFLOW_WORKER is set, but nothing reads it: correct its name")
    assert code == 0


def test_an_env_that_others_can_read_fails(toolbox):
    toolbox.env.chmod(0o644)
    try:
        code, findings = examined(toolbox)
    finally:
        toolbox.env.chmod(0o600)
    assert bad(findings).keys() == {".env"}
    assert "mode 0644" in bad(findings)[".env"]
    assert code == 1


def test_a_role_that_does_not_get_in_fails_and_the_rest_is_checked(toolbox):
    toolbox.sql("postgres", "postgres", "ALTER ROLE analyst PASSWORD 'another'")
    try:
        code, findings = examined(toolbox)
    finally:
        toolbox.succeed("up")
    assert bad(findings).keys() == {"passwords"}
    assert "the password of analyst" in bad(findings)["passwords"]
    assert code == 1


def test_an_env_that_compose_cannot_read_is_told_by_its_line_and_shows_no_password(toolbox):
    with toolbox.changed(ANALYST_DB_PASSWORD='"a password that is not closed'):
        result = toolbox.invoke("doctor")
    assert re.search(r"^FAIL +settings +Docker Compose cannot read line \d+ of .env", result.stdout, flags=re.M)
    assert "is not closed" not in result.stdout
    assert result.returncode == 1


def test_a_toolbox_without_env_is_looked_at_too(toolbox):
    hidden = toolbox.env.rename(toolbox.root / "env.hidden")
    try:
        result = toolbox.invoke("doctor", COMPOSE_PROJECT_NAME=toolbox.project)
    finally:
        hidden.rename(toolbox.env)
    assert result.stderr == "Set in the environment, which counts more than .env: COMPOSE_PROJECT_NAME.\n"
    assert re.search(r"^ok +\.env +there is none", result.stdout, flags=re.M)
    assert re.search(r"^ok +passwords", result.stdout, flags=re.M)


def test_a_database_that_does_not_run_is_told(toolbox):
    toolbox.compose("stop", "postgres")
    try:
        code, findings = examined(toolbox)
    finally:
        toolbox.compose("up", "--wait")
    assert bad(findings)["services"].startswith("FAIL postgres is not healthy (exited)")
    assert "volumes" not in bad(findings)
    assert code == 1


def test_a_toolbox_that_is_down_has_warnings_alone_and_a_wrong_owner_is_found_and_mended(toolbox):
    toolbox.compose("down")
    try:
        volume, image = f"{toolbox.project}_db-store", f"{toolbox.project}-postgres"
        strong = ("--rm", "--user", "0", "--volume", f"{volume}:/data", "--entrypoint", "chown", image)
        assert toolbox.run("docker", "run", *strong, "12345", "/data").returncode == 0
        code, findings = examined(toolbox)
        assert code == 1
        found = bad(findings)["volumes"]
        assert f"FAIL {volume} belongs to user 12345, but postgres runs as " in found

        # What it says is what mends it.
        assert toolbox.run(*shlex.split(re.search('"(docker run .*)"', found)[1])).returncode == 0
        code, findings = examined(toolbox)
        assert "volumes" not in bad(findings)
        assert bad(findings)["services"] == 'warn the toolbox is not running: "invoke up" starts it.'
        assert code == 0
        assert toolbox.run("docker", "ps", "--all", "--quiet", "--filter", f"ancestor={image}").stdout == ""
    finally:
        toolbox.compose("up", "--wait")
    assert examined(toolbox)[0] == 0


def test_a_toolbox_that_was_never_started_is_looked_at_and_nothing_is_made(tmp_path):
    copy = Copy(tmp_path / "data-toolbox")
    code, findings = examined(copy)
    assert bad(findings)["services"] == 'warn the toolbox is not running: "invoke up" starts it.'
    assert code == 0
    assert copy.remains() == []
