"""ml-flow-docker/start.py: the server starts when its database answers and its artifacts are whole, and not before."""

import io
import socket
import struct
import subprocess
import sys
import threading
from importlib import metadata
from types import SimpleNamespace

import psycopg2
import pytest

from tests.support.layers import ROOT, program
from toolbox.data import postgres, volumes
from toolbox.inside import volume_files

START = ROOT / "ml-flow-docker" / "start.py"
URI = "postgresql+psycopg2://mlflow@postgres:5432/mlflow"


@pytest.fixture
def start(monkeypatch):
    """The program, in a time that passes only when it sleeps."""
    module = program("ml-flow-docker/start.py")
    now = [1000.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(module, "time", clock)
    return module


@pytest.fixture
def database(monkeypatch):
    """What psycopg2.connect does, one answer after the other: a message that it fails with, or None."""
    answers, asked = [], []

    def connect(uri, **_):
        asked.append(uri)
        answer = answers.pop(0)
        if answer:
            raise psycopg2.OperationalError(answer)
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(psycopg2, "connect", connect)
    return SimpleNamespace(answers=answers, asked=asked)


@pytest.fixture
def artifacts(tmp_path):
    """A directory of artifacts that an interrupted restore has begun to replace."""
    volume_files.unpack(tmp_path, io.BytesIO(bytes(10240)))
    volume_files.swap(tmp_path)
    return tmp_path


def run(**environment):
    """Run the program to its end."""
    command = [sys.executable, START]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    "answer",
    [
        'connection to server at "postgres", port 5432 failed: Connection refused\n\tIs the server running?\n',
        'could not translate host name "postgres" to address: Name or service not known\n',
        "FATAL:  the database system is starting up\n",
        'FATAL:  database "mlflow" does not exist\n',
    ],
    ids=["nothing there", "no such host", "starting", "not made yet"],
)
def test_it_waits_as_long_as_the_database_cannot_be_used_and_says_for_what(start, database, tmp_path, capsys, answer):
    database.answers[:] = [answer, answer, None]
    start.wait(URI, tmp_path)
    assert database.asked == ["postgresql://mlflow@postgres:5432/mlflow"] * 3
    assert capsys.readouterr().out == f"Waiting for the database: {' '.join(answer.split())}\n"


def test_it_reminds_now_and_then(start, database, tmp_path, capsys):
    database.answers[:] = ["still starting"] * 25 + [None]
    start.wait(URI, tmp_path)
    assert capsys.readouterr().out == "Waiting for the database: still starting\n" * 3


def test_a_database_that_is_there_needs_no_words(start, database, tmp_path, capsys):
    database.answers[:] = [None]
    start.wait(URI, tmp_path)
    assert capsys.readouterr().out == ""


def test_it_waits_for_artifacts_that_a_restore_has_half_replaced_and_says_what_mends_them(
    start, database, artifacts, capsys, monkeypatch
):
    database.answers[:] = [None, None]
    monkeypatch.setattr(start, "has_restored", lambda _: True)
    monkeypatch.setattr(start.time, "sleep", lambda _: volume_files.roll_back(artifacts))
    start.wait(URI, artifacts)
    assert database.answers == []
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith('Waiting for "invoke up": it reverts a restore that was interrupted')


def test_it_does_not_wait_for_what_a_restore_has_replaced_as_well_as_the_database(
    start, database, artifacts, capsys, monkeypatch
):
    database.answers[:] = [None]
    monkeypatch.setattr(start, "has_restored", lambda _: False)
    start.wait(URI, artifacts)
    assert capsys.readouterr().out == ""


def test_it_does_not_wait_for_what_a_restore_has_unpacked_beside(start, database, tmp_path, capsys):
    volume_files.unpack(tmp_path, io.BytesIO(bytes(10240)))
    database.answers[:] = [None]
    start.wait(URI, tmp_path)
    assert capsys.readouterr().out == ""


def test_it_knows_a_restore_by_the_names_that_a_restore_gives(start):
    assert postgres.RESTORED.format("mlflow") == start.RESTORED_DATABASE
    assert volume_files.STAGING == start.STAGING
    # What the home depends on: the artifacts are replaced first.
    assert next(iter(volumes.STORES)) == "artifacts"


def refuse_password(server):
    """Answer one client as Postgres does when the password is wrong."""
    client, _ = server.accept()
    with client:
        # A client asks for encryption first: (length 8, a code of this kind), to be answered with N for no.
        while client.recv(4) == struct.pack("!i", 8):
            client.recv(4)
            client.sendall(b"N")
        client.recv(1000)
        fields = b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "mlflow"\0\0'
        client.sendall(b"E" + struct.pack("!i", 4 + len(fields)) + fields)


def test_a_refused_password_ends_it_at_once_with_one_line():
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=refuse_password, args=[server], daemon=True).start()
        uri = f"postgresql+psycopg2://mlflow@127.0.0.1:{server.getsockname()[1]}/mlflow"
        ended = run(MLFLOW_BACKEND_STORE_URI=uri, PGPASSWORD="wrong $secret")
    assert ended.returncode == 1
    assert ended.stderr.startswith("FAIL: the database refuses the password: restart it, ")
    assert 'password authentication failed for user "mlflow"' in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "secret" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    "text", [None, "", "[toolbox]\n", "[toolbox]\npassword=\n"], ids=["none", "empty", "bare", "blank"]
)
def test_without_a_password_it_ends_at_once_with_one_line(tmp_path, text):
    service = tmp_path / "pg_service.conf"
    if text is not None:
        service.write_text(text)
    ended = run(MLFLOW_BACKEND_STORE_URI=URI, PGSERVICEFILE=str(service))
    assert ended.returncode == 1
    assert ended.stderr == (
        'FAIL: the volume mlflow-secrets has no password for the database: "docker compose up" makes one.\n'
    )


def test_a_password_may_come_from_the_service_file_or_from_elsewhere(start, tmp_path):
    service = tmp_path / "pg_service.conf"
    service.write_text("[toolbox]\npassword=x\n")
    assert start.has_password(str(service))
    assert start.has_password(None)


@pytest.mark.parametrize("environment", [{}, {"MLFLOW_BACKEND_STORE_URI": ""}], ids=["unset", "blank"])
def test_without_an_address_it_ends_with_one_line(environment):
    ended = run(**environment)
    assert ended.returncode == 1
    assert ended.stderr.startswith("FAIL: MLFLOW_BACKEND_STORE_URI is not set")
    assert ended.stderr.count("\n") == 1


def test_only_the_unfinished_files_of_uploads_are_removed(start, tmp_path):
    kept = [tmp_path / "1" / "artifacts" / "model.bin", tmp_path / "1" / "artifacts" / "x.artifact.uploading.y"]
    unfinished = [tmp_path / "1" / "artifacts" / ".artifact.uploading.abc", tmp_path / ".artifact.uploading.def"]
    kept[0].parent.mkdir(parents=True)
    for path in kept + unfinished:
        path.touch()
    start.remove_unfinished(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


OPTIONS = {"MLFLOW_HOST": "0.0.0.0", "MLFLOW_PORT": "5000", "MLFLOW_WORKERS": "2"}
SETTINGS = {"MLFLOW_BACKEND_STORE_URI": "sqlite://", "MLFLOW_ARTIFACTS_DESTINATION": "/artifacts"} | OPTIONS


@pytest.mark.parametrize(
    "asked",
    [
        {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "true"},
        {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_STATIC_PREFIX": "/mlflow"},
        {},
    ],
    ids=["jobs", "an option", "jobs by default"],
)
def test_what_only_mlflow_does_is_left_to_it_with_its_secrets_in_the_environment(tmp_path, asked):
    (tmp_path / "mlflow").write_text('#!/bin/sh\necho "$$|$*|$PGPASSWORD|$PYTHONPATH"\n')
    (tmp_path / "mlflow").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PGPASSWORD": "a $b"} | SETTINGS | asked
    with subprocess.Popen([sys.executable, START], env=environment, stdout=subprocess.PIPE, text=True) as process:
        printed, _ = process.communicate()
    assert printed == f"{process.pid}|server --app-name data-toolbox|a $b|{START.parent}\n"


@pytest.mark.parametrize("workers", ["abc", "0", "-1", "1.5"])
def test_a_number_of_workers_that_is_none_is_told_in_one_line(workers):
    environment = {"PATH": "/usr/bin:/bin"} | SETTINGS | {"MLFLOW_WORKERS": workers}
    ran = subprocess.run([sys.executable, START], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr == f"FAIL: MLFLOW_WORKERS is {workers!r}: set it to a whole number from 1.\n"


@pytest.fixture(scope="module")
def serve():
    return program("ml-flow-docker/serve.py")


@pytest.mark.parametrize("value", ["true", "True", "1"])
def test_background_jobs_are_left_to_mlflow_however_they_are_switched_on(serve, value):
    assert serve.is_left_to_mlflow({"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": value})


def test_a_blank_option_is_none(serve):
    assert not serve.is_left_to_mlflow({"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_STATIC_PREFIX": ""})


def test_metrics_are_counted_only_where_there_is_a_folder_for_them(serve):
    assert "prometheus_multiproc_dir" not in serve.told(SETTINGS | {"MLFLOW_EXPOSE_PROMETHEUS": ""})
    assert serve.told(SETTINGS | {"MLFLOW_EXPOSE_PROMETHEUS": "/m"})["prometheus_multiproc_dir"] == "/m"


def test_mlflow_finds_the_application_that_it_is_told_to_serve(monkeypatch):
    # MLflow finds the other programs beside it too.
    monkeypatch.syspath_prepend(START.parent)
    [found] = metadata.Distribution.discover(name="data-toolbox", path=[str(START.parent)])
    assert found.metadata["Name"] == "data-toolbox"
    [entry] = found.entry_points
    assert (entry.group, entry.name) == ("mlflow.app", "data-toolbox")
    assert callable(getattr(program(f"ml-flow-docker/{entry.module}.py"), entry.attr))
