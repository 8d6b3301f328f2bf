"""toolbox/data/gc.py and toolbox/inside/deleted_runs.py: what `invoke gc` prints and deletes, and which files."""

import fcntl
import sys

import pytest

import tasks
from tests.support.layers import HEALTHY, docker, error_line, listed, use_clone
from toolbox.data import gc
from toolbox.errors import Failure
from toolbox.inside import deleted_runs

RUN = "0123456789abcdef0123456789abcdef"
MODEL = f"m-{RUN}"
NOTHING = {"limit": 1000, "runs": 0, "experiments": 0, "models": 0, "bytes": 0, "needed": 0, "busy": 0, "elsewhere": 0}
SOME = NOTHING | {"runs": 2, "models": 1, "bytes": 1_234_567}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The directory of the artifacts."""
    monkeypatch.setattr(deleted_runs, "ROOT", str(tmp_path.resolve()))
    return tmp_path.resolve()


@pytest.fixture
def requested(monkeypatch):
    """The requested actions; set `found` and `problems` to what they return."""

    class Actions(list):
        found, problems = SOME, ()

    requested = Actions()

    def run_program(toolbox, action, limit):
        requested.append((action, limit))
        return requested.found if action == "find" else list(requested.problems)

    monkeypatch.setattr(gc, "run_program", run_program)
    return requested


def run_gc(**options):
    """Run the task, with all services healthy."""
    tasks.gc(docker({"docker compose ps": HEALTHY}), **options)


# --- What is deleted ---


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("30", 30), ("007", 7), ("999999", 999_999)])
def test_older_than_takes_a_whole_number_of_days(text, number):
    assert gc.parse_days(text) == number


@pytest.mark.parametrize("text", ["", "abc", "-1", "1.5", "30d", "٣", "1000000", "1\n"])
def test_older_than_refuses_anything_else_before_searching(requested, text):
    with pytest.raises(Failure) as raised:
        run_gc(older_than=text)
    assert "give a whole number from 0" in error_line(raised)
    assert requested == []


@pytest.mark.parametrize("terminal", [True, False], ids=["a terminal", "no terminal"])
def test_gc_without_yes_deletes_nothing_and_names_the_option(requested, monkeypatch, capsys, terminal):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda: terminal, raising=False)
    run_gc()
    assert [action for action, _ in requested] == ["find"]
    assert capsys.readouterr().out.endswith("Nothing was deleted: add --yes to delete it permanently.\n")


def test_gc_deletes_only_what_it_has_shown(requested):
    run_gc(older_than="7", yes=True)
    assert requested == [("find", 7), ("delete", SOME["limit"])]


def test_gc_deletes_nothing_if_nothing_is_found(requested, capsys):
    requested.found = NOTHING
    run_gc(yes=True)
    assert [action for action, _ in requested] == ["find"]
    assert capsys.readouterr().out == "Nothing was deleted in MLflow at least 30 days ago.\n"


def test_gc_prints_the_size_before_it_deletes(requested, monkeypatch, capsys):
    printed_before = {}
    run_program = gc.run_program

    def recording(toolbox, action, limit):
        printed_before[action] = capsys.readouterr().out
        return run_program(toolbox, action, limit)

    monkeypatch.setattr(gc, "run_program", recording)
    run_gc(yes=True)
    assert "2 runs, 0 experiments, 1 model, whose files take 1.2 MB (1234567 bytes)" in printed_before["delete"]


def test_what_gc_keeps_is_printed_with_the_reason():
    lines = gc.summary(SOME | {"needed": 3, "elsewhere": 4}, 0)
    assert [line for line in lines if "3 kept: registered model versions need them" in line]
    assert [line for line in lines if "4 kept: their files are not in the artifact store" in line]
    assert len(gc.summary(SOME, 0)) == 1


def test_gc_fails_if_something_cannot_be_deleted(requested):
    requested.problems = ("run 1: Permission denied", "run 2: Permission denied")
    with pytest.raises(Failure) as raised:
        run_gc(yes=True)
    assert "2 could not be deleted, the rest is gone (run 1: Permission denied)" in error_line(raised)


def test_gc_fails_if_a_service_is_not_healthy(requested):
    with pytest.raises(Failure) as raised:
        tasks.gc(docker({"docker compose ps": listed(postgres="running healthy", mlflow="exited")}))
    assert "mlflow is not running" in error_line(raised)
    assert requested == []


def test_gc_is_refused_while_another_task_runs(requested, tmp_path, monkeypatch):
    use_clone(tmp_path, monkeypatch)
    with (tmp_path / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Failure) as raised:
            run_gc(yes=True)
    assert "another task of this toolbox is running" in error_line(raised)
    assert requested == []


# --- Which files belong to a run, model or experiment ---


@pytest.mark.parametrize(
    ("uri", "names", "folder"),
    [
        (f"mlflow-artifacts:/1/{RUN}/artifacts", [RUN], f"1/{RUN}"),
        (f"mlflow-artifacts:/1/models/{MODEL}/artifacts", ["models", MODEL], f"1/models/{MODEL}"),
        (f"mlflow-artifacts:/a/place/of my own/{RUN}/artifacts", [RUN], f"a/place/of my own/{RUN}"),
    ],
)
def test_the_directory_of_a_run_or_model_is_found(root, uri, names, folder):
    assert deleted_runs.own_folder(uri, *names) == str(root / folder)


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "",
        f"s3://bucket/{RUN}/artifacts",
        f"file:///mlflow/artifacts/1/{RUN}/artifacts",
        f"/mlflow/artifacts/1/{RUN}/artifacts",
        f"file:///mlflow-artifacts:/1/{RUN}/artifacts",
        f"mlflow-artifacts://elsewhere:5000/1/{RUN}/artifacts",
        f"mlflow-artifacts://{RUN}/artifacts",
        f"mlflow-artifacts:/../{RUN}/artifacts",
        f"mlflow-artifacts:/1/./{RUN}/artifacts",
        f"mlflow-artifacts:/1%2F..%2F/{RUN}/artifacts",
        f"mlflow-artifacts:/1//{RUN}/artifacts",
        f"mlflow-artifacts:/1/{RUN}",
        f"mlflow-artifacts:/1/{RUN}/artifacts/",
        f"mlflow-artifacts:/1/{RUN}/artifacts/folder",
        f"mlflow-artifacts:/link/{RUN}/artifacts",
        "mlflow-artifacts:/2",
        f"mlflow-artifacts:/1/{RUN[::-1]}/artifacts",
        "mlflow-artifacts:/",
    ],
)
def test_a_location_that_is_not_the_usual_one_has_no_directory_to_delete(root, uri):
    (root / "2" / RUN / "artifacts").mkdir(parents=True)
    (root / "link").symlink_to("2")
    assert deleted_runs.own_folder(uri, RUN) is None


def test_the_directory_of_an_experiment_is_never_the_whole_store(root):
    assert deleted_runs.folder_at("mlflow-artifacts:/") is None
    assert deleted_runs.folder_at("mlflow-artifacts:/1") == str(root / "1")


@pytest.fixture
def experiment(root):
    """The directories of the two models and the trace of an experiment, by name."""
    folders = {name: root / "1" / name for name in ("models/one", "models/two", "traces/three")}
    for folder in folders.values():
        (folder / "artifacts" / "deep").mkdir(parents=True)
        (folder / "artifacts" / "deep" / "file").write_bytes(b"x" * 10_001)
    return {name: str(folder) for name, folder in folders.items()}


def test_shared_directories_that_will_be_empty_are_found(root, experiment):
    folder = str(root / "1")
    one_left = [experiment["models/one"], experiment["traces/three"]]
    assert deleted_runs.emptied(folder, experiment.values()) == [f"{folder}/models", f"{folder}/traces", folder]
    assert deleted_runs.emptied(folder, one_left) == [f"{folder}/traces"]
    assert deleted_runs.emptied(str(root / "none"), []) == []


def test_the_printed_size_is_the_disk_space_that_becomes_free(root, experiment):
    def on_disk():
        return sum(path.lstat().st_blocks * 512 for path in root.rglob("*"))

    found = deleted_runs.Found()
    found.models["one"] = experiment["models/one"]
    models = {"one": experiment["models/one"], "two": experiment["models/two"]}
    found.experiments[1] = deleted_runs.Experiment(str(root / "1"), models, {"three": experiment["traces/three"]})
    found.runs["without files"] = str(root / "1" / "none")
    summary = found.summary()
    assert (summary["runs"], summary["models"], summary["experiments"]) == (1, 2, 1)
    assert summary["bytes"] == on_disk() > 30_000


def test_deleting_a_directory_that_does_not_exist_succeeds(root, experiment):
    deleted_runs.remove(str(root / "none"))
    deleted_runs.remove(experiment["models/one"])
    assert sorted(path.name for path in (root / "1" / "models").iterdir()) == ["two"]


def test_what_is_kept_is_noted_by_reason():
    found = deleted_runs.Found()
    assert found.can_delete({"a": "/a", "b": "/b"}, {"c"})
    assert not found.can_delete({"a": "/a", "b": "/b"}, {"b"})
    assert not found.can_delete({"a": "/a", "c": None}, set())
    assert not found.can_delete({"a": "/a", "d": "/d"}, set(), {"d"})
    assert (found.needed, found.busy, found.elsewhere) == ({"b"}, {"d"}, {"c"})
