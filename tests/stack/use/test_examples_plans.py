"""The SQL of the example notebook, in a database with a hundred thousand runs: it reads little of it."""

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
# Thousand runs of each of some experiments, several rows each.
MANY = 10_000
QUESTIONS = {
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

asked = []


@event.listens_for(Engine, "before_cursor_execute")
def note(connection, cursor, statement, values, *_):
    if statement.lstrip().startswith("-- "):
        asked.append((statement, values))
"""
TELL = "import json; print(json.dumps(asked))"


class Database:
    """The database of a toolbox as the benchmark's filling knows one."""

    def __init__(self, copy):
        self.copy = copy

    def sql(self, statement):
        """Run a statement in MLflow's database; return its rows."""
        return self.copy.sql("postgres", "mlflow", statement)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """A toolbox of its own, and the number of its experiment of many runs."""
    copy = Copy(tmp_path_factory.mktemp("copy") / "data-toolbox")
    try:
        copy.succeed("up")
        database = Database(copy)
        experiment = fill.experiment(database, "crowded")
        fill.runs(database, experiment, 1, RUNS)
        # What autovacuum would do about it, in a minute or later.
        database.sql("VACUUM ANALYZE")
        yield copy, experiment
    finally:
        copy.succeed("clean", "--yes")


@pytest.fixture(scope="module")
def plans(crowded):
    """How Postgres goes about each of the notebook's questions, asked of the experiment of many runs."""
    copy, experiment = crowded
    notebook = notebooks.load(NOTEBOOK)
    notebook["cells"] = [notebooks.code("watch", WATCH), *notebook["cells"], notebooks.code("tell", TELL)]
    asked = json.loads(notebooks.outputs(copy, notebook)["tell"][0]["stdout"])
    # Of its own params that experiment has the one and not the other.
    values = {"experiment": experiment, "runs": 50, "y": "depth"}
    connection = copy.connect("analyst", "mlflow")
    cursor = connection.cursor()
    found = {}
    for statement, used in asked:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", used | values)
        [[[plan]]] = cursor.fetchall()
        name = re.match(r"\s*-- (.+)", statement)[1]
        found[name] = plan["Plan"], plan["Execution Time"]
    connection.close()
    return found


def scans(node):
    """Yield the parts of a plan that read a table."""
    if "Relation Name" in node:
        yield node
    for part in node.get("Plans", ()):
        yield from scans(part)


def rows(scan):
    """Return how many rows were read, those that did not fit included."""
    return (scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)) * scan["Actual Loops"]


def test_it_asks_what_is_known_here(plans):
    assert plans.keys() == QUESTIONS | {READS_ALL}


@pytest.mark.parametrize("question", sorted(QUESTIONS))
def test_it_reads_few_rows_and_those_by_an_index(plans, record, question):
    plan, milliseconds = plans[question]
    record(f"SQL of the examples, {RUNS:,} runs, {question}: {milliseconds:.1f} ms")
    read = [scan for scan in scans(plan) if scan["Relation Name"] in TABLES]
    assert read or question == "how large the tables are"
    assert [scan["Relation Name"] for scan in read if scan["Node Type"] == "Seq Scan"] == []
    assert {scan["Relation Name"]: rows(scan) for scan in read if rows(scan) > MANY} == {}


def test_the_one_that_reads_all_says_so(plans, record):
    plan, milliseconds = plans[READS_ALL]
    record(f"SQL of the examples, {RUNS:,} runs, {READS_ALL}: {milliseconds:,.0f} ms")
    assert {scan["Relation Name"] for scan in scans(plan) if rows(scan) >= RUNS} == TABLES
    cells = notebooks.load(NOTEBOOK)["cells"]
    [place] = [number for number, cell in enumerate(cells) if READS_ALL in "".join(cell["source"])]
    assert "**read every row**" in "".join(cells[place - 1]["source"])
