"""`invoke doctor` finds nothing wrong on a healthy toolbox, and everything that was broken on purpose."""

import re
import shlex

import pytest

from tests.support.copies import PASSWORDS, Copy
from toolbox import compose, diagnostics
from toolbox.data import backup

pytestmark = pytest.mark.stack


def run_doctor(toolbox):
    """Run the doctor; return its exit code and its findings as (level, check, text)."""
    result = toolbox.invoke("doctor")
    assert result.stderr == ""
    assert [password for password in PASSWORDS.values() if password.strip() in result.stdout] == []
    *lines, _, _ = result.stdout.splitlines()
    return result.returncode, [tuple(line.split(maxsplit=2)) for line in lines]


def problems(findings):
    """Return the findings that are not ok, by check."""
    return {check: f"{level} {text}" for level, check, text in findings if level != "ok"}


def test_doctor_finds_nothing_wrong_on_a_healthy_toolbox(toolbox):
    code, findings = run_doctor(toolbox)
    assert [check for _, check, _ in findings] == [name for name in diagnostics.CHECKS if name != "folder"]
    # There is a warning on machines in a cloud.
    assert problems(findings).keys() <= {"cloud"}
    assert code == 0


def test_doctor_changes_nothing(toolbox):
    def state():
        filters = [("--filter", f"ancestor={toolbox.project}-{service}") for service in compose.SERVICES]
        containers = [toolbox.run("docker", "ps", "--all", "--quiet", *chosen).stdout for chosen in filters]
        started = [toolbox.inspect(service)["State"]["StartedAt"] for service in compose.SERVICES]
        return containers, started, toolbox.remains(), toolbox.env.read_bytes()

    before = state()
    run_doctor(toolbox)
    assert state() == before


def test_the_revisions_in_the_image_are_those_that_alembic_finds(toolbox):
    commands = (("cat", "/opt/mlflow/revisions"), ("python", "-c", backup.REVISIONS))
    outputs = [toolbox.host("mlflow").check_output(" ".join(["%s"] * len(command)), *command) for command in commands]
    from_file, from_alembic = (output.split() for output in outputs)
    assert from_file[:2] == from_alembic[:2]
    assert sorted(from_file) == sorted(from_alembic)


def test_doctor_warns_of_a_misspelt_variable(toolbox):
    with toolbox.changed(MLFLOW_WORKER=3):
        code, findings = run_doctor(toolbox)
    assert problems(findings)[".env"].startswith("warn MLFLOW_WORKER is set, but nothing reads it: correct its name")
    assert code == 0


def test_doctor_fails_on_an_env_that_others_can_read(toolbox):
    toolbox.env.chmod(0o644)
    try:
        code, findings = run_doctor(toolbox)
    finally:
        toolbox.env.chmod(0o600)
    assert problems(findings).keys() == {".env"}
    assert "mode 0644" in problems(findings)[".env"]
    assert code == 1


def test_doctor_fails_on_a_role_that_cannot_log_in_and_checks_the_rest(toolbox):
    toolbox.sql("postgres", "postgres", "ALTER ROLE analyst PASSWORD 'another'")
    try:
        code, findings = run_doctor(toolbox)
    finally:
        toolbox.succeed("up")
    assert problems(findings).keys() == {"passwords"}
    assert "the password of analyst" in problems(findings)["passwords"]
    assert code == 1


def test_doctor_names_the_line_of_an_invalid_env_without_showing_the_password(toolbox):
    with toolbox.changed(ANALYST_DB_PASSWORD='"a password that is not closed'):
        result = toolbox.invoke("doctor")
    assert re.search(r"^FAIL +settings +Docker Compose cannot read line \d+ of .env", result.stdout, flags=re.M)
    assert "is not closed" not in result.stdout
    assert result.returncode == 1


def test_doctor_checks_a_toolbox_without_env(toolbox):
    hidden = toolbox.env.rename(toolbox.root / "env.hidden")
    try:
        result = toolbox.invoke("doctor", COMPOSE_PROJECT_NAME=toolbox.project)
    finally:
        hidden.rename(toolbox.env)
    assert result.stderr == "Set by the environment, not by .env: COMPOSE_PROJECT_NAME.\n"
    assert re.search(r"^ok +\.env +not present", result.stdout, flags=re.M)
    assert re.search(r"^ok +passwords", result.stdout, flags=re.M)


def test_doctor_reports_a_stopped_database(toolbox):
    toolbox.compose("stop", "postgres")
    try:
        code, findings = run_doctor(toolbox)
    finally:
        toolbox.compose("up", "--wait")
    assert problems(findings)["services"].startswith("FAIL postgres is not healthy (exited)")
    assert "volumes" not in problems(findings)
    assert code == 1


def test_doctor_has_only_warnings_on_a_stopped_toolbox_and_its_command_fixes_a_wrong_owner(toolbox):
    toolbox.compose("down")
    try:
        volume, image = f"{toolbox.project}_db-store", f"{toolbox.project}-postgres"
        chown = ("--rm", "--user", "0", "--volume", f"{volume}:/data", "--entrypoint", "chown", image)
        assert toolbox.run("docker", "run", *chown, "12345", "/data").returncode == 0
        code, findings = run_doctor(toolbox)
        assert code == 1
        found = problems(findings)["volumes"]
        assert f"FAIL {volume} belongs to user 12345, but postgres runs as " in found

        # The suggested command fixes it.
        assert toolbox.run(*shlex.split(re.search('"(docker run .*)"', found)[1])).returncode == 0
        code, findings = run_doctor(toolbox)
        assert "volumes" not in problems(findings)
        assert problems(findings)["services"] == 'warn the toolbox is not running: "invoke up" starts it.'
        assert code == 0
        assert toolbox.run("docker", "ps", "--all", "--quiet", "--filter", f"ancestor={image}").stdout == ""
    finally:
        toolbox.compose("up", "--wait")
    assert run_doctor(toolbox)[0] == 0


def test_doctor_checks_a_toolbox_that_was_never_started_and_creates_nothing(tmp_path):
    copy = Copy(tmp_path / "data-toolbox")
    code, findings = run_doctor(copy)
    assert problems(findings)["services"] == 'warn the toolbox is not running: "invoke up" starts it.'
    assert code == 0
    assert copy.remains() == []
