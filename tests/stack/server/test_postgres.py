"""The running database has the settings of the image, and the indexes for lists of many runs."""

import re

import pytest

from tests.support.layers import ROOT, postgres_settings, program

pytestmark = pytest.mark.stack

SETTINGS = {name: value for name, value in postgres_settings().items() if name != "include_if_exists"}


def setting(toolbox, name):
    return toolbox.sql("postgres", "postgres", f"SHOW {name}")[0][0]


def file_of(toolbox, name):
    """Return the file that sets a setting."""
    return toolbox.sql("postgres", "postgres", f"SELECT sourcefile FROM pg_settings WHERE name = '{name}'")[0][0]


# --- Settings ---


@pytest.mark.parametrize("name", SETTINGS)
def test_the_database_has_the_settings_of_the_image(toolbox, name):
    assert setting(toolbox, name) == SETTINGS[name]
    # Postgres does not report it for settings that are file names.
    assert file_of(toolbox, name) == (None if name.endswith("_file") else "/etc/data-toolbox/postgresql.conf")


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_commits_are_durable(toolbox, name):
    assert setting(toolbox, name) == "on"
    assert file_of(toolbox, name) is None


def test_settings_that_initdb_wrote_apply_unless_the_image_overrides_them(toolbox):
    assert file_of(toolbox, "listen_addresses") == "/var/lib/postgresql/data/postgresql.conf"
    # initdb also wrote max_connections, which the image overrides.
    written = toolbox.sql(
        "postgres", "postgres", "SELECT setting, applied FROM pg_file_settings WHERE name = 'max_connections'"
    )
    assert written == [("100", False), (SETTINGS["max_connections"], True)]
    assert toolbox.sql("postgres", "postgres", "SELECT error FROM pg_file_settings WHERE error IS NOT NULL") == []


def test_alter_system_overrides_the_settings_of_the_image(toolbox):
    try:
        toolbox.sql("postgres", "postgres", "ALTER SYSTEM SET autovacuum_work_mem = '16MB'")
        toolbox.compose("restart", "postgres")
        toolbox.compose("up", "--detach", "--wait", "mlflow")
        assert setting(toolbox, "autovacuum_work_mem") == "16MB"
    finally:
        toolbox.sql("postgres", "postgres", "ALTER SYSTEM RESET autovacuum_work_mem")
        toolbox.sql("postgres", "postgres", "SELECT pg_reload_conf()")


# --- Indexes ---


@pytest.fixture
def indexes(monkeypatch):
    """The indexes that the toolbox adds to MLflow's."""
    monkeypatch.syspath_prepend(str(ROOT / "ml-flow-docker"))
    return program("ml-flow-docker/migrate.py").INDEXES


def existing(toolbox):
    names = toolbox.sql("mlflow", "mlflow", "SELECT indexname FROM pg_indexes WHERE indexname ~ '^data_toolbox_'")
    return {name for (name,) in names}


def migrate(toolbox):
    """Run the service `migrate`; return its output."""
    return toolbox.compose("run", "--rm", "--no-TTY", "migrate")


def test_a_page_among_many_runs_is_read_from_an_index_without_sorting(toolbox, indexes):
    assert existing(toolbox) == set(indexes)
    plans = toolbox.in_container("mlflow", "explain_search.py")
    assert len(plans) == len(indexes)
    used = set()
    for plan in plans.values():
        text = "\n".join(plan)
        used |= set(re.findall(r"Index Scan using (data_toolbox_\w+)", text))
        assert not re.search(r"^\W*Sort  ", text, flags=re.M), text
    assert used == set(indexes)


def test_a_missing_index_is_created_once_by_the_next_start(toolbox, indexes):
    lost = next(iter(indexes))
    toolbox.sql("mlflow", "mlflow", f"DROP INDEX {lost}")
    lines = migrate(toolbox).splitlines()
    assert [line for line in lines if "index" in line] == [line for line in lines if lost in line]
    assert existing(toolbox) == set(indexes)
    assert "index" not in migrate(toolbox)


def test_a_locked_table_does_not_keep_mlflow_from_starting(toolbox, indexes):
    lost = next(iter(indexes))
    toolbox.sql("mlflow", "mlflow", f"DROP INDEX {lost}")
    try:
        with toolbox.connect("mlflow", "mlflow") as connection:
            connection.cursor().execute("LOCK TABLE runs IN ROW EXCLUSIVE MODE")
            printed = migrate(toolbox)
        assert "It was not created" in printed
        assert existing(toolbox) == set(indexes) - {lost}
    finally:
        migrate(toolbox)
    assert existing(toolbox) == set(indexes)
