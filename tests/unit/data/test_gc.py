"""What `invoke gc` says and asks for, and where it takes a file to belong to what is deleted."""

import fcntl
import sys

import pytest

import tasks
from tests.support.layers import HEALTHY, a_clone, docker, listed, the_line
from toolbox.data import gc
from toolbox.errors import Failure
from toolbox.inside import deleted_runs

RUN = "0123456789abcdef0123456789abcdef"
MODEL = f"m-{RUN}"
NOTHING = {"limit": 1000, "runs": 0, "experiments": 0, "models": 0, "bytes": 0, "needed": 0, "busy": 0, "elsewhere": 0}
SOME = NOTHING | {"runs": 2, "models": 1, "bytes": 1_234_567}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The folder of the artifacts."""
    monkeypatch.setattr(deleted_runs, "ROOT", str(tmp_path.resolve()))
    return tmp_path.resolve()


@pytest.fixture
def swept(monkeypatch):
    """The actions that were asked for; what they find is in `found`, what cannot be deleted in `problems`."""

    class Swept(list):
        found, problems = SOME, ()

    asked = Swept()

    def sweep_(toolbox, action, limit):
        asked.append((action, limit))
        return asked.found if action == "find" else list(asked.problems)

    monkeypatch.setattr(gc, "sweep", sweep_)
    return asked


def run_gc(**options):
    """Run the task, with all services healthy."""
    tasks.gc(docker({"docker compose ps": HEALTHY}), **options)


# --- What is asked for ---


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("30", 30), ("007", 7), ("999999", 999_999)])
def test_an_age_is_a_whole_number_of_days(text, number):
    assert gc.days(text) == number


@pytest.mark.parametrize("text", ["", "abc", "-1", "1.5", "30d", "٣", "1000000", "1\n"])
def test_another_age_is_refused_and_nothing_is_looked_at(swept, text):
    with pytest.raises(Failure) as raised:
        run_gc(older_than=text)
    assert "give a whole number from 0" in the_line(raised)
    assert swept == []


@pytest.mark.parametrize("terminal", [True, False], ids=["a terminal", "no terminal"])
def test_nothing_is_deleted_without_yes_and_it_says_how_to_go_on(swept, monkeypatch, capsys, terminal):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda: terminal, raising=False)
    run_gc()
    assert [action for action, _ in swept] == ["find"]
    assert capsys.readouterr().out.endswith("Nothing was deleted: add --yes to delete it for good.\n")


def test_what_is_deleted_is_what_was_shown(swept):
    run_gc(older_than="7", yes=True)
    assert swept == [("find", 7), ("delete", SOME["limit"])]


def test_where_nothing_is_found_nothing_is_done(swept, capsys):
    swept.found = NOTHING
    run_gc(yes=True)
    assert [action for action, _ in swept] == ["find"]
    assert capsys.readouterr().out == "Nothing was deleted in MLflow 30 days ago or before.\n"


def test_the_size_is_said_before_it_is_deleted(swept, monkeypatch, capsys):
    said = []
    before = gc.sweep

    def listening(toolbox, action, limit):
        said.append((action, capsys.readouterr().out))
        return before(toolbox, action, limit)

    monkeypatch.setattr(gc, "sweep", listening)
    run_gc(yes=True)
    assert "2 runs, 0 experiments, 1 model, whose files take 1.2 MB (1234567 bytes)" in dict(said)["delete"]


def test_what_stays_is_said_with_the_reason():
    lines = gc.told(SOME | {"needed": 3, "elsewhere": 4}, 0)
    assert [line for line in lines if "3 stay, because versions of registered models need them" in line]
    assert [line for line in lines if "4 stay, because their files are not in the artifact store" in line]
    assert len(gc.told(SOME, 0)) == 1


def test_what_cannot_be_deleted_is_a_failure(swept):
    swept.problems = ("run 1: Permission denied", "run 2: Permission denied")
    with pytest.raises(Failure) as raised:
        run_gc(yes=True)
    assert "2 could not be deleted, the rest is gone (run 1: Permission denied)" in the_line(raised)


def test_a_service_that_is_not_healthy_is_told(swept):
    with pytest.raises(Failure) as raised:
        tasks.gc(docker({"docker compose ps": listed(postgres="running healthy", mlflow="exited")}))
    assert "mlflow is not running" in the_line(raised)
    assert swept == []


def test_a_backup_that_is_being_made_keeps_it_out(swept, tmp_path, monkeypatch):
    a_clone(tmp_path, monkeypatch)
    with (tmp_path / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Failure) as raised:
            run_gc(yes=True)
    assert "another task of this toolbox is running" in the_line(raised)
    assert swept == []


# --- Which files belong to what is deleted ---


@pytest.mark.parametrize(
    ("uri", "names", "folder"),
    [
        (f"mlflow-artifacts:/1/{RUN}/artifacts", [RUN], f"1/{RUN}"),
        (f"mlflow-artifacts:/1/models/{MODEL}/artifacts", ["models", MODEL], f"1/models/{MODEL}"),
        (f"mlflow-artifacts:/a/place/of my own/{RUN}/artifacts", [RUN], f"a/place/of my own/{RUN}"),
    ],
)
def test_the_folder_of_a_run_or_model_is_found(root, uri, names, folder):
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
def test_a_folder_that_may_belong_to_another_is_not_touched(root, uri):
    (root / "2" / RUN / "artifacts").mkdir(parents=True)
    (root / "link").symlink_to("2")
    assert deleted_runs.own_folder(uri, RUN) is None


def test_an_experiment_is_never_the_whole_store(root):
    assert deleted_runs.folder_at("mlflow-artifacts:/") is None
    assert deleted_runs.folder_at("mlflow-artifacts:/1") == str(root / "1")


@pytest.fixture
def experiment(root):
    """The folder of an experiment with two models and a trace; their folders, by name."""
    folders = {name: root / "1" / name for name in ("models/one", "models/two", "traces/three")}
    for folder in folders.values():
        (folder / "artifacts" / "deep").mkdir(parents=True)
        (folder / "artifacts" / "deep" / "file").write_bytes(b"x" * 10_001)
    return {name: str(folder) for name, folder in folders.items()}


def test_the_folders_that_are_empty_afterwards_are_foreseen(root, experiment):
    folder = str(root / "1")
    one_left = [experiment["models/one"], experiment["traces/three"]]
    assert deleted_runs.emptied(folder, experiment.values()) == [f"{folder}/models", f"{folder}/traces", folder]
    assert deleted_runs.emptied(folder, one_left) == [f"{folder}/traces"]
    assert deleted_runs.emptied(str(root / "none"), []) == []


def test_the_size_is_what_the_disk_has_more_room_for_afterwards(root, experiment):
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


def test_deleting_what_is_not_there_is_no_mistake(root, experiment):
    deleted_runs.remove(str(root / "none"))
    deleted_runs.remove(experiment["models/one"])
    assert sorted(path.name for path in (root / "1" / "models").iterdir()) == ["two"]


def test_what_has_to_stay_is_noted_by_reason():
    found = deleted_runs.Found()
    assert found.can_go({"a": "/a", "b": "/b"}, {"c"})
    assert not found.can_go({"a": "/a", "b": "/b"}, {"b"})
    assert not found.can_go({"a": "/a", "c": None}, set())
    assert not found.can_go({"a": "/a", "d": "/d"}, set(), {"d"})
    assert (found.needed, found.busy, found.elsewhere) == ({"b"}, {"d"}, {"c"})
