"""The SQL of the example notebook reads only a small part of a database with a hundred thousand runs."""

import json
import re

import pytest

from benchmarks import fill
from tests.support import notebooks
from tests.support.copies import Copy

pytestmark = pytest.mark.stack

NOTEBOOK = "2-ask-the-database.ipynb"
RUNS = 100_000
TABLES = {"runs", "metrics", "latest_metrics", "params", "tags"}
# For a thousand runs of some experiments, with several rows each.
MAX_ROWS = 10_000
QUERIES = {
    "how large the tables are",
    "best run of each experiment",
    "params against a metric",
    "learning curves",
    "leaderboard by user and day",
}
READS_ALL = "disk space per experiment"
WATCH = """
from sqlalchemy import event
from sqlalchemy.engine import Engine

statements = []


@event.listens_for(Engine, "before_cursor_execute")
def record(connection, cursor, statement, values, *_):
    if statement.lstrip().startswith("-- "):
        statements.append((statement, values))
"""
PRINT = "import json; print(json.dumps(statements))"


class Database:
    """The database of a toolbox with the interface that benchmarks/fill.py needs."""

    def __init__(self, copy):
        self.copy = copy

    def sql(self, statement):
        """Run a statement in MLflow's database; return its rows."""
        return self.copy.sql("postgres", "mlflow", statement)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """A separate toolbox, and the ID of its experiment with many runs."""
    copy = Copy(tmp_path_factory.mktemp("copy") / "data-toolbox")
    try:
        copy.succeed("up")
        database = Database(copy)
        experiment = fill.experiment(database, "crowded")
        fill.runs(database, experiment, 1, RUNS)
        # As autovacuum would do within some minutes.
        database.sql("VACUUM ANALYZE")
        yield copy, experiment
    finally:
        copy.succeed("clean", "--yes")


@pytest.fixture(scope="module")
def plans(crowded):
    """The plan and milliseconds of each of the notebook's queries, for the experiment with many runs."""
    copy, experiment = crowded
    notebook = notebooks.load(NOTEBOOK)
    notebook["cells"] = [notebooks.code("watch", WATCH), *notebook["cells"], notebooks.code("print", PRINT)]
    statements = json.loads(notebooks.outputs(copy, notebook)["print"][0]["stdout"])
    # A param that this experiment has.
    values = {"experiment": experiment, "runs": 50, "y": "depth"}
    connection = copy.connect("analyst", "mlflow")
    cursor = connection.cursor()
    found = {}
    for statement, parameters in statements:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters | values)
        [[[plan]]] = cursor.fetchall()
        name = re.match(r"\s*-- (.+)", statement)[1]
        found[name] = plan["Plan"], plan["Execution Time"]
    connection.close()
    return found


def scans(node):
    """Yield the nodes of a plan that read a table."""
    if "Relation Name" in node:
        yield node
    for part in node.get("Plans", ()):
        yield from scans(part)


def rows(scan):
    """Return how many rows were read, including those filtered out."""
    return (scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)) * scan["Actual Loops"]


def test_the_notebook_runs_exactly_the_queries_listed_here(plans):
    assert plans.keys() == QUERIES | {READS_ALL}


@pytest.mark.parametrize("query", sorted(QUERIES))
def test_a_query_of_the_notebook_reads_few_rows_and_only_by_an_index(plans, record, query):
    plan, milliseconds = plans[query]
    record(f"SQL of the examples, {RUNS:,} runs, {query}: {milliseconds:.1f} ms")
    read = [scan for scan in scans(plan) if scan["Relation Name"] in TABLES]
    assert read or query == "how large the tables are"
    assert [scan["Relation Name"] for scan in read if scan["Node Type"] == "Seq Scan"] == []
    assert {scan["Relation Name"]: rows(scan) for scan in read if rows(scan) > MAX_ROWS} == {}


def test_the_notebook_marks_its_query_that_reads_every_row(plans, record):
    plan, milliseconds = plans[READS_ALL]
    record(f"SQL of the examples, {RUNS:,} runs, {READS_ALL}: {milliseconds:,.0f} ms")
    assert {scan["Relation Name"] for scan in scans(plan) if rows(scan) >= RUNS} == TABLES
    cells = notebooks.load(NOTEBOOK)["cells"]
    [place] = [number for number, cell in enumerate(cells) if READS_ALL in "".join(cell["source"])]
    assert "**read every row**" in "".join(cells[place - 1]["source"])
