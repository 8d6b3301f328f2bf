"""The programs of tests/inside/everyday, which people type from tutorials."""

from tests.support.copies import ROOT

# Their texts, by name.
PROGRAMS = {path.name: path.read_text() for path in sorted((ROOT / "tests" / "inside" / "everyday").glob("*.py"))}
# Those of `./run test` without --all: what most people do in the first days.
DOZEN = (
    "a_forest_is_logged_and_loads_back.py",
    "a_kernel_of_the_server_runs_code.py",
    "a_model_is_registered_and_used_by_its_alias.py",
    "a_notebook_is_executed_and_becomes_html.py",
    "a_run_that_raises_is_failed.py",
    "artifacts_keep_their_names.py",
    "autologging_records_a_forest.py",
    "buffered_logging_loses_nothing.py",
    "pandas_writes_and_reads_tables.py",
    "psycopg2_reads_what_mlflow_recorded.py",
    "runs_are_found_by_every_operator.py",
    "sqlalchemy_connects_as_tutorials_write_it.py",
)
