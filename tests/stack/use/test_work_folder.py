"""A folder of this machine as ~/work in the notebook keeps its owner, and is never backed up, restored or deleted.

Its toolbox also has a name, which is the author of runs, and a time zone.
"""

import os

import pytest

from tests.support.copies import PORTS, free_ports
from toolbox import dotenv
from toolbox.compose import SERVICES

pytestmark = pytest.mark.stack

NAME = "folder"
ZONE = "Asia/Kolkata"
# Only root can create files of another user.
OWNER = 1001 if os.getuid() == 0 else os.getuid()


@pytest.fixture(scope="module")
def folder(toolbox, tmp_path_factory):
    """A folder of another user with a file, which is ~/work in a named toolbox."""
    path = tmp_path_factory.mktemp("folder") / 'my "data", raw'
    path.mkdir()
    (path / "mine.csv").write_text("a,b\n")
    for created in (path, path / "mine.csv"):
        os.chown(created, OWNER, -1)
    # Only their owner can enter pytest's folders, but Docker runs as root.
    settings = {"COMPOSE_PROJECT_NAME": f"{toolbox.project}-{NAME}", "NOTEBOOK_USER": NAME}
    settings |= dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    settings |= {f"{service.upper()}_BASE_IMAGE": toolbox.base(service) for service in SERVICES}
    dotenv.write(toolbox.root / f".env.{NAME}", "".join(f"{name}={value}\n" for name, value in settings.items()))
    set_folder(toolbox, path)
    set_value(toolbox, "TZ", ZONE)
    try:
        toolbox.succeed("up", "--name", NAME)
        yield path
    finally:
        before = sorted(path.iterdir())
        toolbox.succeed("clean", "--yes", "--name", NAME)
        assert sorted(path.iterdir()) == before, "the folder does not outlive the toolbox and its volumes"


def set_folder(toolbox, path):
    set_value(toolbox, "WORK_FOLDER", f"'{path}'")


def set_value(toolbox, name, value):
    env = toolbox.root / f".env.{NAME}"
    dotenv.write(env, dotenv.with_value(env.read_text(), name, value))


def inside(toolbox, program, service="notebook"):
    """Run a shell script in the container of a service; return its output."""
    result = toolbox.run("docker", "exec", f"{toolbox.project}-{NAME}-{service}-1", "sh", "-c", program)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_notebook_reads_and_writes_the_work_folder_as_its_owner(toolbox, folder):
    assert inside(toolbox, "cat ~/work/mine.csv; echo x >> ~/work/mine.csv; echo made > ~/work/made") == "a,b\n"
    assert (folder / "mine.csv").read_text() == "a,b\nx\n"
    assert (folder / "made").stat().st_uid == OWNER


def test_with_a_work_folder_the_home_is_still_the_volume_and_belongs_to_the_same_user(toolbox, folder):
    assert inside(toolbox, "stat -c %u ~ ~/.bashrc") == f"{OWNER}\n{OWNER}\n"
    inside(toolbox, "echo home > ~/in-the-volume")
    assert not (folder / "in-the-volume").exists()
    toolbox.succeed("up", "--name", NAME)
    assert inside(toolbox, "cat ~/in-the-volume; stat -c %u ~ ~/.bashrc") == f"home\n{OWNER}\n{OWNER}\n"


def test_notebook_user_is_the_user_name_and_the_author_of_runs(toolbox, folder):
    program = "import mlflow; run = mlflow.start_run(); print(mlflow.get_run(run.info.run_id).info.user_id)"
    seen = inside(toolbox, f"whoami; stat -c %U ~/work; ssh -G example.org | grep '^user '; python -c '{program}'")
    assert seen == f"{NAME}\n{NAME}\nuser {NAME}\n{NAME}\n"


def test_all_services_use_the_configured_time_zone(toolbox, folder):
    offset = "import time; print(time.strftime('%z'))"
    assert [inside(toolbox, f'python -c "{offset}"', service) for service in ("notebook", "mlflow")] == ["+0530\n"] * 2
    query = "SELECT current_setting('timezone'), current_setting('log_timezone')"
    printed = toolbox.succeed("psql", "--name", NAME, "--database", "datasets", "--command", query)
    assert printed.count(ZONE) == 2
    assert " IST " in toolbox.succeed("logs", "--name", NAME, "--service", "postgres")


def test_an_unknown_time_zone_is_rejected_and_running_services_stay_up(toolbox, folder):
    listing = ("docker", "ps", "--quiet", "--filter", f"name={toolbox.project}-{NAME}-")
    before = toolbox.run(*listing).stdout
    set_value(toolbox, "TZ", "Nowhere")
    result = toolbox.invoke("up", "--name", NAME)
    set_value(toolbox, "TZ", ZONE)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        f'FAIL: TZ in .env.{NAME} is "Nowhere", a time zone that postgres does not know: use one such as Asia/Tokyo.'
    )
    assert toolbox.run(*listing).stdout == before


def test_doctor_finds_nothing_wrong_with_a_work_folder(toolbox, folder):
    *lines, _, sentence = toolbox.succeed("doctor", "--name", NAME).splitlines()
    assert [line for line in lines if not line.startswith("ok ")] == []
    assert sentence == "All is well."
    assert f"{folder} is ~/work" in "\n".join(lines)


def test_backup_and_restore_ignore_the_work_folder(toolbox, folder, tmp_path):
    inside(toolbox, "echo before > ~/kept; echo before > ~/work/on-the-machine")
    toolbox.succeed("backup", "--name", NAME, "--to", str(tmp_path / "backup.zip"))
    inside(toolbox, "echo after > ~/kept; echo after > ~/work/on-the-machine")
    toolbox.succeed("restore", "--name", NAME, "--yes", str(tmp_path / "backup.zip"))
    assert inside(toolbox, "cat ~/kept") == "before\n"
    assert (folder / "on-the-machine").read_text() == "after\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder that belongs to root")
def test_a_work_folder_that_belongs_to_root_is_rejected_and_nothing_started(toolbox, folder, tmp_path):
    listing = ("docker", "ps", "--quiet", "--filter", f"name={toolbox.project}-{NAME}-")
    before = toolbox.run(*listing).stdout
    set_folder(toolbox, tmp_path)
    result = toolbox.invoke("up", "--name", NAME)
    set_folder(toolbox, folder)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        f'FAIL: {tmp_path} belongs to root, and the notebook does not run as root: "chown {OWNER} {tmp_path}".'
    )
    assert toolbox.run(*listing).stdout == before


def test_a_missing_work_folder_is_reported_and_not_created(toolbox, folder, tmp_path):
    set_folder(toolbox, tmp_path / "none")
    result = toolbox.invoke("up", "--name", NAME)
    set_folder(toolbox, folder)
    assert result.stderr == (
        f"FAIL: the folder {tmp_path}/none does not exist: create it, or correct WORK_FOLDER in .env.{NAME}.\n"
    )
    assert not (tmp_path / "none").exists()
