"""An upgrade keeps all data of older versions of MLflow, and can be rolled back."""

import pytest

from tests.support.copies import ROOT, Copy
from tests.support.upgrades import (
    OLDER,
    OLDER_MLFLOW,
    check_artifacts,
    check_contents,
    contents,
    dumps,
    log_all_kinds,
    revision,
    roll_back,
    use_mlflow,
)

pytestmark = pytest.mark.stack


def indexes(copy):
    """Return the definitions of the indexes that the toolbox adds to MLflow's."""
    return copy.sql("mlflow", "mlflow", "SELECT indexdef FROM pg_indexes WHERE indexname ~ '^data_toolbox_' ORDER BY 1")


@pytest.fixture(params=OLDER)
def older(request, tmp_path):
    """A toolbox with the data of an older MLflow, and the current version, not yet started."""
    copy = Copy(tmp_path / "older")
    try:
        use_mlflow(copy, OLDER_MLFLOW / request.param)
        copy.succeed("up")
        copy.version = request.param
        copy.logged = log_all_kinds(copy)
        use_mlflow(copy, ROOT / "ml-flow-docker")
        yield copy
    finally:
        copy.succeed("clean", "--yes")


def test_an_upgrade_keeps_everything_that_an_older_mlflow_recorded_and_can_be_rolled_back(older, toolbox):
    before, columns = contents(older, "mlflow")
    assert len(before["metrics"]) == 3 * 201
    old = revision(older)
    older.succeed("upgrade")
    new = revision(older)
    assert new == revision(toolbox)
    check_contents(older, before, columns)
    check_artifacts(older, older.logged)
    assert indexes(older) == indexes(toolbox) != []
    status, answer = older.get("mlflow", "/api/2.0/mlflow/registered-models/alias?name=model&alias=best")
    assert status == 200, answer

    # A dump is made only if the tables changed; it allows a rollback.
    kept = dumps(older)
    assert len(kept) == (0 if new == old else 1)
    older.succeed("upgrade")
    assert dumps(older) == kept
    if kept:
        assert f"MLflow-{older.version}" in kept[0] or old in kept[0]
        roll_back(older, kept[0])
        assert revision(older) == old
        assert contents(older, "mlflow")[0] == before
        assert older.sql("analyst", "mlflow", "SELECT count(*) FROM metrics") == [(len(before["metrics"]),)]
