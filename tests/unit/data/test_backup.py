"""toolbox/data/backup.py and restore.py: what they refuse, which backups are kept, how databases are restored."""

import os
import signal

import pytest

import tasks
from tests.support.layers import (
    HEALTHY,
    ROOT,
    changing_commands,
    docker,
    error_line,
    fake_toolbox,
    listed,
    use_clone,
    user_env,
)
from tests.unit.data.test_archive import forged
from toolbox import process
from toolbox.data import archive, backup, postgres, restore, volumes
from toolbox.errors import Failure


@pytest.fixture
def env(tmp_path, monkeypatch):
    return user_env(tmp_path, monkeypatch)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The directory of the backups."""
    monkeypatch.setattr(backup, "ROOT", tmp_path)
    use_clone(tmp_path, monkeypatch)
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _no_commands(monkeypatch):
    """Fail if a test runs a command that it does not fake."""
    monkeypatch.setattr(process, "popen", lambda *_, **__: pytest.fail("a command was run"))


# --- What a backup refuses ---


@pytest.mark.parametrize(
    ("states", "service"),
    [
        ({}, "postgres"),
        ({"postgres": "running healthy", "mlflow": "exited"}, "mlflow"),
        ({"postgres": "running healthy", "mlflow": "running healthy", "notebook": "running starting"}, "notebook"),
    ],
    ids=["down", "exited", "starting"],
)
def test_a_backup_is_refused_unless_all_services_are_healthy(env, tmp_path, states, service):
    with pytest.raises(Failure) as raised:
        tasks.backup(docker({"docker compose ps": listed(**states)}), to=str(tmp_path / "new.zip"))
    assert f'{service} is not running, or not healthy: start the toolbox with "invoke up".' in error_line(raised)


def test_a_backup_never_overwrites_an_existing_file(env, tmp_path):
    path = tmp_path / "mine.zip"
    path.write_text("mine")
    with pytest.raises(Failure) as raised:
        tasks.backup(docker({"docker compose ps": HEALTHY}), to=str(path))
    assert "already exists" in error_line(raised)
    assert path.read_text() == "mine"


def test_a_backup_into_a_directory_that_does_not_exist_is_refused(env, tmp_path):
    with pytest.raises(Failure) as raised:
        tasks.backup(docker({"docker compose ps": HEALTHY}), to=str(tmp_path / "none" / "new.zip"))
    assert f"the folder {tmp_path / 'none'} does not exist" in error_line(raised)


def test_a_backup_into_a_directory_that_is_not_writable_is_refused(env, tmp_path, monkeypatch):
    # Not with chmod, as root may write to any directory.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(Failure) as raised:
        tasks.backup(docker({"docker compose ps": HEALTHY}), to=str(tmp_path / "new.zip"))
    assert "cannot be written to" in error_line(raised)


def test_a_backup_to_a_disk_with_far_too_little_space_is_refused(tmp_path):
    measured = {
        "artifacts": {"bytes": 1 << 60, "largest": [5_000, "1/model.pkl"]},
        "home": {"bytes": 7_000, "largest": [6_000_000_000, "data/\x1b.csv"]},
    }
    with pytest.raises(Failure) as raised:
        backup.check_space(tmp_path, measured)
    assert "the largest is data/ .csv in home, 6.0 GB: make room" in error_line(raised)
    measured["artifacts"]["bytes"] = 1000
    backup.check_space(tmp_path, measured)


def test_files_left_out_of_a_backup_are_named_by_reason(capsys):
    backup.print_left_out("home", {"it leads out": [7, ["a", "b\x1b"]], "it cannot be read (no)": [1, ["c"]]})
    assert capsys.readouterr().out == (
        "Left out of home, because it leads out: a, b, and 5 more\n"
        "Left out of home, because it cannot be read (no): c\n"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_raises_system_exit_so_that_cleanup_runs(number):
    before = signal.getsignal(number)
    with pytest.raises(SystemExit), backup.exit_on_signals():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


# --- What a restore refuses ---


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows, files: rows["mlflow"].update({"public.runs": 1}), "mlflow has 1 tables, 1 rows, but"),
        (lambda rows, files: files["home"].__setitem__(0, 2), "home has 2 files, 2 bytes"),
        (lambda rows, files: files["home"].__setitem__(2, "0" * 64), f"({'0' * 8}), but 1 f"),
    ],
    ids=["rows", "files", "checksum"],
)
def test_restored_data_that_differ_from_the_manifest_are_refused(tmp_path, monkeypatch, change, reason):
    with archive.Archive(forged(tmp_path / "box.zip")) as source:
        source.check()
        rows = {name: dict(source.manifest["rows"][name]) for name in archive.DATABASES}
        files = {name: list(source.files[f"{name}.tar.zst"]) for name in volumes.STORES}
        monkeypatch.setattr(postgres, "restore", lambda *_: [])
        monkeypatch.setattr(postgres, "rows", lambda _, name: rows[name.removesuffix("_restored")])
        monkeypatch.setattr(postgres, "analyze", lambda _: None)
        monkeypatch.setattr(volumes, "run", lambda _, name, *__: files[name])
        revisions = [source.manifest["schema"]]
        table, incomplete = restore.stage(fake_toolbox(), source, revisions)
        assert (len(table), incomplete) == (5, [])
        change(rows, files)
        with pytest.raises(Failure) as raised:
            restore.stage(fake_toolbox(), source, revisions)
    assert reason in error_line(raised)
    assert "nothing was changed" in error_line(raised)


def test_a_restore_verifies_the_archive_before_it_runs_any_command(env, tmp_path):
    path = tmp_path / "no.zip"
    path.write_text("no archive")
    c = docker({"docker compose ps": HEALTHY})
    with pytest.raises(Failure) as raised:
        tasks.restore(c, str(path), yes=True)
    assert "is not a backup" in error_line(raised)
    assert changing_commands(c) == []


@pytest.mark.parametrize("made", [True, False], ids=["with an .env", "without one"])
def test_a_restore_starts_a_toolbox_that_does_not_run(env, tmp_path, monkeypatch, made):
    if not made:
        env.unlink()
    monkeypatch.setattr(restore, "restore_archive", lambda *_: ([("RESTORED",)], []))
    c = docker({"docker compose ps": "", "docker image inspect": True})
    tasks.restore(c, str(forged(tmp_path / "box.zip")), yes=True)
    assert any(command.startswith("docker compose up --detach --wait") for command in changing_commands(c))
    assert env.exists() is made


def test_a_restore_into_a_toolbox_that_runs_starts_nothing(env, tmp_path, monkeypatch):
    monkeypatch.setattr(restore, "restore_archive", lambda *_: ([("RESTORED",)], []))
    c = docker({"docker compose ps": HEALTHY})
    tasks.restore(c, str(forged(tmp_path / "box.zip")), yes=True)
    assert changing_commands(c) == []


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (
            (("3.10", ["older"]), "17.6"),
            "made by MLflow 3.17.2, newer than this server, 3.10: set mlflow==",
        ),
        ((("3.17.2", ["dc11669786a5"]), "16.1"), "set POSTGRES_BASE_IMAGE in .env to Postgres 17"),
    ],
    ids=["mlflow", "postgres"],
)
def test_a_backup_of_a_newer_version_is_refused_with_the_version_that_it_needs(tmp_path, monkeypatch, server, reason):
    monkeypatch.setattr(backup, "mlflow_revisions", lambda *_: server[0])
    monkeypatch.setattr(postgres, "version", lambda _: server[1])
    with archive.Archive(forged(tmp_path / "box.zip")) as source, pytest.raises(Failure) as raised:
        restore.check_versions(fake_toolbox(), source)
    assert reason in error_line(raised)


def test_the_space_needed_by_volumes_that_share_a_disk_is_added_up(tmp_path, monkeypatch):
    with archive.Archive(forged(tmp_path / "box.zip")) as source:
        manifest = source.manifest
    files = sum(restore.store_space(manifest, name) for name in volumes.STORES)
    rows = restore.database_space(manifest)

    def check(database_device, free):
        monkeypatch.setattr(postgres, "disk", lambda _: (database_device, free))
        restore.check_space(fake_toolbox(), manifest, {name: {"device": 1, "free": files} for name in volumes.STORES})

    check(2, rows)
    with pytest.raises(Failure) as raised:
        check(2, rows - 1)
    assert "make room" in error_line(raised)
    with pytest.raises(Failure):
        check(1, rows)


def test_the_space_needed_includes_indexes_wal_and_whole_blocks(tmp_path):
    with archive.Archive(forged(tmp_path / "box.zip")) as source:
        manifest = source.manifest
    manifest["members"]["mlflow.dump.zst"]["unpacked"] = 10**6
    manifest["members"]["datasets.dump.zst"]["unpacked"] = 10**6
    # Measured: the dump of a million metrics and their runs has 159 MB, tables and indexes 481 MB.
    assert restore.database_space(manifest) >= 2 * 481 / 159 * 2 * 10**6 + postgres.RESERVE
    manifest["members"]["mlflow.dump.zst"]["unpacked"] = 10**12
    assert restore.database_space(manifest) < 5 * 10**12
    manifest["members"]["home.tar.zst"] |= {"unpacked": 2 * 10**6, "files": 1000, "bytes": 1000}
    assert restore.store_space(manifest, "home") >= 1000 * 4096


@pytest.mark.parametrize(
    ("rows", "own", "files", "expected"),
    [
        ({"public.experiments": 1, "public.alembic_version": 1, "public.runs": 0}, {}, False, False),
        ({"public.experiments": 1, "public.runs": 1}, {}, False, True),
        ({"public.experiments": 1}, {"public.mine": 0}, False, True),
        ({"public.experiments": 1}, {}, True, True),
    ],
    ids=["new", "a run", "a table", "a file"],
)
def test_a_new_toolbox_has_no_data(monkeypatch, rows, own, files, expected):
    monkeypatch.setattr(postgres, "databases", lambda _: {"mlflow", "datasets", "postgres"})
    monkeypatch.setattr(postgres, "rows", lambda _, name: {"mlflow": rows, "datasets": own}[name])
    assert restore.has_data(fake_toolbox(), {"home": {"has_files": files}}) is expected


# --- Existing backups ---


def dated(folder, *dates):
    """Write backups with these dates, under names in another order."""
    for name, date in zip("cab", dates, strict=False):
        forged(folder / f"{name}.zip", change=lambda manifest, date=date: manifest.update(date=f"{date}T00:00:00Z"))


def test_without_a_backup_the_list_names_the_task_that_makes_one(folder, capsys):
    tasks.backups(docker())
    assert capsys.readouterr().out == 'No backups yet: "invoke backup" makes one.\n'


def test_backups_are_listed_newest_first(folder, capsys):
    dated(folder, "2026-01-02", "2026-01-03", "2026-01-01")
    tasks.backups(docker())
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [(row[0], row[-2], row[-1]) for row in rows] == [
        ("2026-01-03", "3.17.2", "backups/a.zip"),
        ("2026-01-02", "3.17.2", "backups/c.zip"),
        ("2026-01-01", "3.17.2", "backups/b.zip"),
    ]


def test_keep_deletes_only_the_older_backups(folder, capsys):
    dated(folder, "2026-01-02", "2026-01-03", "2026-01-01")
    others = {"notes.txt": b"mine", "mine.zip": b"mine", "half.zip": (folder / "a.zip").read_bytes()[:1000]}
    for name, content in others.items():
        (folder / name).write_bytes(content)
    tasks.backups(docker(), keep="1")
    assert {path.name for path in folder.iterdir()} == {"a.zip", *others}
    assert "Deleted b.zip" in capsys.readouterr().out


@pytest.mark.parametrize("keep", ["0", "-1", "x", "1.5", "²", " "])
def test_keep_must_be_a_whole_number_from_1(folder, keep):
    dated(folder, "2026-01-02", "2026-01-03")
    with pytest.raises(Failure) as raised:
        tasks.backups(docker(), keep=keep)
    assert "from 1" in error_line(raised)
    assert len(list(folder.iterdir())) == 2


def test_listing_backups_without_their_directory_succeeds(folder):
    folder.rmdir()
    tasks.backups(docker())


def test_the_directory_of_backups_is_private_and_partial_files_in_it_are_deleted(folder):
    folder.rmdir()
    backup.make_folder(fake_toolbox())
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "killed.zip.part").write_bytes(b"half")
    backup.make_folder(fake_toolbox())
    assert list(folder.iterdir()) == []


def test_git_ignores_backups():
    assert "backups/" in (ROOT / ".gitignore").read_text().splitlines()


# --- Databases ---


def test_a_dump_is_restored_as_a_role_without_rights_elsewhere(monkeypatch):
    run = []
    monkeypatch.setattr(postgres, "sql", lambda _, statement, *__: run.append(statement))
    monkeypatch.setattr(process, "output", lambda command, *_, **__: run.append(command) or "")
    for name, user in postgres.USERS.items():
        run.clear()
        postgres.restore(fake_toolbox(), name, [])
        assert run[0].startswith(f"CREATE DATABASE {name}_restored OWNER {postgres.OWNERS[name]}")
        assert run[1] == f"\\i /etc/data-toolbox/{name}.sql"
        assert run[2][run[2].index("--username") + 1] == postgres.RESTORERS[name]
        assert run[2][run[2].index("--role") + 1] == user


def test_only_tables_in_the_dump_are_expected_after_a_restore():
    unread = {"all of it": postgres.Unread(None, "no"), "held": postgres.Unread(postgres.LOCK_NOT_AVAILABLE, "no")}
    assert backup.with_empty({"mine": 1}, unread | {"large": postgres.Unread("53200", "no")}) == {"mine": 1, "large": 0}
