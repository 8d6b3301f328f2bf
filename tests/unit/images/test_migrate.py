"""ml-flow-docker/migrate.py: its messages and dumps. Real tables are migrated in tests/stack."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.layers import ROOT, program


@pytest.fixture
def migrate(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "ml-flow-docker"))
    yield program("ml-flow-docker/migrate.py")
    del sys.modules["start"]


def test_tables_of_a_newer_mlflow_are_refused_with_the_version_they_need(migrate):
    line = migrate.newer("f00", "MLflow 9.9.9", "3.17.2")
    assert line.startswith("FAIL: the tables are from MLflow 9.9.9 (revision f00), and this is MLflow 3.17.2: ")
    assert line.endswith('==9.9.9 in ml-flow-docker/requirements.in, then "invoke lock" and "invoke up".')


def test_tables_of_an_unknown_mlflow_are_refused(migrate):
    assert "from a newer MLflow (revision f00)" in migrate.newer("f00", None, "3.17.2")


def test_the_paths_are_those_of_the_image_and_the_compose_file(migrate):
    assert f"> {migrate.KNOWN}" in (ROOT / "ml-flow-docker" / "Dockerfile").read_text()
    assert f"{migrate.DUMPS}" in (ROOT / "docker-compose.yml").read_text()


@pytest.fixture
def pg_dump(migrate, monkeypatch, tmp_path):
    """A pg_dump that writes a file, and ends with the code that is set; the dumps are in the folder `tmp_path`."""
    result = SimpleNamespace(returncode=0, stdout="disk full\n")

    def run(command, **_):
        [path] = [option.removeprefix("--file=") for option in command if option.startswith("--file=")]
        Path(path).write_text("dump")
        return result

    monkeypatch.setattr(migrate, "DUMPS", tmp_path)
    monkeypatch.setattr(migrate.subprocess, "run", run)
    return result


def test_the_newest_dumps_are_kept(migrate, pg_dump, tmp_path):
    for day in range(1, 6):
        (tmp_path / f"2020010{day}T000000Z-MLflow-1.0.dump").touch()
    (tmp_path / "20200106T000000Z-MLflow-1.0.part").touch()
    migrate.dump(None, "postgresql+psycopg2://mlflow@postgres/mlflow", "MLflow-2.0")
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept[:2] == ["20200104T000000Z-MLflow-1.0.dump", "20200105T000000Z-MLflow-1.0.dump"]
    assert [name.endswith("-MLflow-2.0.dump") for name in kept[2:]] == [True]


def test_a_failed_dump_leaves_no_file_and_deletes_none(migrate, pg_dump, tmp_path):
    pg_dump.returncode = 1
    names = [f"2020010{day}T000000Z-MLflow-1.0.dump" for day in range(1, 6)]
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(SystemExit) as raised:
        migrate.dump(None, "postgresql+psycopg2://mlflow@postgres/mlflow", "MLflow-2.0")
    assert str(raised.value).startswith("FAIL: no dump could be written, so nothing was changed (disk full)")
    assert sorted(path.name for path in tmp_path.iterdir()) == names


# --- Locks of other sessions ---


@pytest.mark.parametrize(
    ("program", "tables", "words"),
    [
        ("notebook", ["metrics"], "role analyst holds a lock on metrics (process 81, notebook)"),
        ("", ["metrics", "runs"], "role analyst holds a lock on metrics, runs (process 81)"),
        ("pg_dump", list("abcde"), "role analyst holds a lock on a, b, c and others (process 81, pg_dump)"),
    ],
    ids=["a table", "without a name", "many tables"],
)
def test_a_session_that_holds_a_lock_is_named_with_what_it_holds(migrate, program, tables, words):
    assert migrate.session("analyst", 81, program, tables) == words


@pytest.mark.parametrize("limit", ["lock", "statement"])
def test_a_command_that_is_blocked_by_a_lock_has_no_result(migrate, limit):
    message = f"ERROR:  canceling statement due to {limit} timeout"
    assert migrate.run([sys.executable, "-c", f"import sys; sys.exit('{message}')"]) is None
    assert migrate.run([sys.executable, "-c", "import sys; sys.exit('disk full')"]).stdout == "disk full\n"
    assert migrate.run([sys.executable, "-c", f"print('{message}')"]).returncode == 0
