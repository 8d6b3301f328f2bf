"""The running database: it has the settings of the image, and what it needs for lists of many runs."""

import re

import pytest

from tests.support.layers import ROOT, postgres_settings, program

pytestmark = pytest.mark.stack

SETTINGS = {name: value for name, value in postgres_settings().items() if name != "include_if_exists"}


def shown(toolbox, name):
    return toolbox.sql("postgres", "postgres", f"SHOW {name}")[0][0]


def file_of(toolbox, name):
    """Return the file that a setting has its value from."""
    return toolbox.sql("postgres", "postgres", f"SELECT sourcefile FROM pg_settings WHERE name = '{name}'")[0][0]


# --- Settings ---


@pytest.mark.parametrize("name", SETTINGS)
def test_the_server_has_the_settings_of_the_image(toolbox, name):
    assert shown(toolbox, name) == SETTINGS[name]
    # Of the names of files Postgres does not tell it.
    assert file_of(toolbox, name) == (None if name.endswith("_file") else "/etc/data-toolbox/postgresql.conf")


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_what_is_committed_is_on_the_disk(toolbox, name):
    assert shown(toolbox, name) == "on"
    assert file_of(toolbox, name) is None


def test_what_initdb_wrote_into_the_volume_holds_where_the_image_says_nothing(toolbox):
    assert file_of(toolbox, "listen_addresses") == "/var/lib/postgresql/data/postgresql.conf"
    # It wrote another number of connections there too.
    written = toolbox.sql(
        "postgres", "postgres", "SELECT setting, applied FROM pg_file_settings WHERE name = 'max_connections'"
    )
    assert written == [("100", False), (SETTINGS["max_connections"], True)]
    assert toolbox.sql("postgres", "postgres", "SELECT error FROM pg_file_settings WHERE error IS NOT NULL") == []


def test_what_alter_system_sets_is_above_the_settings_of_the_image(toolbox):
    try:
        toolbox.sql("postgres", "postgres", "ALTER SYSTEM SET autovacuum_work_mem = '16MB'")
        toolbox.compose("restart", "postgres")
        toolbox.compose("up", "--detach", "--wait", "mlflow")
        assert shown(toolbox, "autovacuum_work_mem") == "16MB"
    finally:
        toolbox.sql("postgres", "postgres", "ALTER SYSTEM RESET autovacuum_work_mem")
        toolbox.sql("postgres", "postgres", "SELECT pg_reload_conf()")


# --- Indexes ---


@pytest.fixture
def indexes(monkeypatch):
    """The indexes that the tables get beside MLflow's own."""
    monkeypatch.syspath_prepend(str(ROOT / "ml-flow-docker"))
    return program("ml-flow-docker/migrate.py").INDEXES


def made(toolbox):
    names = toolbox.sql("mlflow", "mlflow", "SELECT indexname FROM pg_indexes WHERE indexname ~ '^data_toolbox_'")
    return {name for (name,) in names}


def migrate(toolbox):
    """Run what brings the tables to their version; return what it printed."""
    return toolbox.compose("run", "--rm", "--no-TTY", "migrate")


def test_a_page_of_many_runs_is_read_from_an_index_and_not_sorted(toolbox, indexes):
    assert made(toolbox) == set(indexes)
    plans = toolbox.in_container("mlflow", "explain_search.py")
    assert len(plans) == len(indexes)
    used = set()
    for plan in plans.values():
        text = "\n".join(plan)
        used |= set(re.findall(r"Index Scan using (data_toolbox_\w+)", text))
        assert not re.search(r"^\W*Sort  ", text, flags=re.M), text
    assert used == set(indexes)


def test_an_index_that_is_missing_is_made_by_the_next_start_and_then_no_more(toolbox, indexes):
    lost = next(iter(indexes))
    toolbox.sql("mlflow", "mlflow", f"DROP INDEX {lost}")
    said = migrate(toolbox)
    assert [line for line in said.splitlines() if "index" in line] == [
        line for line in said.splitlines() if lost in line
    ]
    assert made(toolbox) == set(indexes)
    assert "index" not in migrate(toolbox)


def test_a_table_that_is_in_use_for_long_does_not_keep_mlflow_from_starting(toolbox, indexes):
    lost = next(iter(indexes))
    toolbox.sql("mlflow", "mlflow", f"DROP INDEX {lost}")
    try:
        with toolbox.connect("mlflow", "mlflow") as connection:
            connection.cursor().execute("LOCK TABLE runs IN ROW EXCLUSIVE MODE")
            said = migrate(toolbox)
        assert "It was not created" in said
        assert made(toolbox) == set(indexes) - {lost}
    finally:
        migrate(toolbox)
    assert made(toolbox) == set(indexes)
