"""The programs of tests/inside/everyday, which people type from tutorials, by subject."""

import json

from tests.support.copies import ROOT

FOLDER = ROOT / "tests" / "inside" / "everyday"
# What most people do in the first days; `./run test` without --all runs only these.
DOZEN = (
    "models/a_forest_is_logged_and_loads_back.py",
    "models/a_model_is_registered_and_used_by_its_alias.py",
    "models/autologging_records_a_forest.py",
    "notebook/a_kernel_of_the_server_runs_code.py",
    "notebook/a_notebook_is_executed_and_converted_to_html.py",
    "notebook/pandas_writes_and_reads_tables.py",
    "notebook/psycopg2_reads_what_mlflow_recorded.py",
    "notebook/sqlalchemy_connects_as_tutorials_write_it.py",
    "tracking/a_run_that_raises_has_the_status_failed.py",
    "tracking/artifacts_keep_their_names.py",
    "tracking/buffered_logging_loses_nothing.py",
    "tracking/runs_are_found_by_every_operator.py",
)


def others(subject):
    """Return the names of the programs of a subject that are not among the dozen."""
    names = (f"{subject}/{path.name}" for path in sorted((FOLDER / subject).glob("*.py")))
    return [name for name in names if name not in DOZEN]


def run(toolbox, names):
    """Run programs in the notebook; return (exit status, seconds, output) of each by name."""
    # Without the subject, as they may read their own file name.
    programs = {name.rpartition("/")[2]: (FOLDER / name).read_text() for name in names}
    results = toolbox.in_notebook("run_everyday.py", stdin=json.dumps(programs))
    return {name: results[name.rpartition("/")[2]] for name in names}
