"""ml-flow-docker/migrate.py: what it says. What it does with real tables is tested elsewhere."""

import sys

import pytest
from layers import ROOT, program


@pytest.fixture
def migrate(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "ml-flow-docker"))
    yield program("ml-flow-docker/migrate.py")
    del sys.modules["start"]


def test_tables_of_a_newer_mlflow_are_refused_with_the_version_they_need(migrate):
    line = migrate.newer("f00", "MLflow 9.9.9", "3.17.2")
    assert line.startswith("FAIL: the tables are from MLflow 9.9.9 (revision f00), and this is MLflow 3.17.2: ")
    assert line.endswith('==9.9.9 in ml-flow-docker/requirements.in, then "invoke lock" and "invoke up".')


def test_tables_of_an_unknown_mlflow_are_refused_too(migrate):
    assert "from a newer MLflow (revision f00)" in migrate.newer("f00", None, "3.17.2")


def test_the_revisions_are_where_the_image_has_them(migrate):
    assert f"> {migrate.KNOWN}" in (ROOT / "ml-flow-docker" / "Dockerfile").read_text()
    assert f"{migrate.DUMPS}" in (ROOT / "docker-compose.yml").read_text()
