"""ml-flow-docker/start.py: the server starts only when its database answers and its artifacts are complete."""

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
    """The program, with a clock that advances only when it sleeps."""
    module = program("ml-flow-docker/start.py")
    now = [1000.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(module, "time", clock)
    return module


@pytest.fixture
def database(monkeypatch):
    """The results of psycopg2.connect, one after the other: the message of a failure, or None."""
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
    ids=["refused", "no such host", "starting", "no database"],
)
def test_the_server_waits_until_the_database_can_be_used_and_says_for_what(start, database, tmp_path, capsys, answer):
    database.answers[:] = [answer, answer, None]
    start.wait(URI, tmp_path)
    assert database.asked == ["postgresql://mlflow@postgres:5432/mlflow"] * 3
    assert capsys.readouterr().out == f"Waiting for the database: {' '.join(answer.split())}\n"


def test_the_server_repeats_regularly_what_it_waits_for(start, database, tmp_path, capsys):
    database.answers[:] = ["still starting"] * 25 + [None]
    start.wait(URI, tmp_path)
    assert capsys.readouterr().out == "Waiting for the database: still starting\n" * 3


def test_nothing_is_printed_if_the_database_answers(start, database, tmp_path, capsys):
    database.answers[:] = [None]
    start.wait(URI, tmp_path)
    assert capsys.readouterr().out == ""


def test_the_server_waits_for_artifacts_that_a_restore_has_half_replaced_and_says_what_reverts_them(
    start, database, artifacts, capsys, monkeypatch
):
    database.answers[:] = [None, None]
    monkeypatch.setattr(start, "has_restored", lambda _: True)
    monkeypatch.setattr(start.time, "sleep", lambda _: volume_files.roll_back(artifacts))
    start.wait(URI, artifacts)
    assert database.answers == []
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith('Waiting for "invoke up": it reverts a restore that was interrupted')


def test_the_server_does_not_wait_if_a_restore_has_also_replaced_the_database(
    start, database, artifacts, capsys, monkeypatch
):
    database.answers[:] = [None]
    monkeypatch.setattr(start, "has_restored", lambda _: False)
    start.wait(URI, artifacts)
    assert capsys.readouterr().out == ""


def test_the_server_does_not_wait_if_a_restore_has_only_unpacked_artifacts(start, database, tmp_path, capsys):
    volume_files.unpack(tmp_path, io.BytesIO(bytes(10240)))
    database.answers[:] = [None]
    start.wait(URI, tmp_path)
    assert capsys.readouterr().out == ""


def test_the_server_recognizes_a_restore_by_the_names_that_a_restore_uses(start):
    assert postgres.RESTORED.format("mlflow") == start.RESTORED_DATABASE
    assert volume_files.STAGING == start.STAGING
    # The home relies on it: the artifacts are replaced first.
    assert next(iter(volumes.STORES)) == "artifacts"


def reject_password(server):
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


def test_the_server_exits_at_once_with_one_line_if_the_password_is_rejected():
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=reject_password, args=[server], daemon=True).start()
        uri = f"postgresql+psycopg2://mlflow@127.0.0.1:{server.getsockname()[1]}/mlflow"
        ran = run(MLFLOW_BACKEND_STORE_URI=uri, PGPASSWORD="wrong $secret")
    assert ran.returncode == 1
    assert ran.stderr.startswith("FAIL: the database rejects the password: restart it, ")
    assert 'password authentication failed for user "mlflow"' in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "secret" not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "text", [None, "", "[toolbox]\n", "[toolbox]\npassword=\n"], ids=["none", "empty", "bare", "blank"]
)
def test_the_server_exits_at_once_with_one_line_without_a_password(tmp_path, text):
    service = tmp_path / "pg_service.conf"
    if text is not None:
        service.write_text(text)
    ran = run(MLFLOW_BACKEND_STORE_URI=URI, PGSERVICEFILE=str(service))
    assert ran.returncode == 1
    assert ran.stderr == (
        'FAIL: the volume mlflow-secrets has no password for the database: "docker compose up" creates one.\n'
    )


def test_a_password_may_come_from_the_service_file_or_from_elsewhere(start, tmp_path):
    service = tmp_path / "pg_service.conf"
    service.write_text("[toolbox]\npassword=x\n")
    assert start.has_password(str(service))
    assert start.has_password(None)


@pytest.mark.parametrize("environment", [{}, {"MLFLOW_BACKEND_STORE_URI": ""}], ids=["unset", "blank"])
def test_the_server_exits_with_one_line_without_the_address_of_the_database(environment):
    ran = run(**environment)
    assert ran.returncode == 1
    assert ran.stderr.startswith("FAIL: MLFLOW_BACKEND_STORE_URI is not set")
    assert ran.stderr.count("\n") == 1


def test_only_partial_files_of_uploads_are_removed(start, tmp_path):
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
def test_mlflows_own_server_is_started_for_options_that_only_it_supports(tmp_path, asked):
    (tmp_path / "mlflow").write_text('#!/bin/sh\necho "$$|$*|$PGPASSWORD|$PYTHONPATH"\n')
    (tmp_path / "mlflow").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PGPASSWORD": "a $b"} | SETTINGS | asked
    with subprocess.Popen([sys.executable, START], env=environment, stdout=subprocess.PIPE, text=True) as process:
        printed, _ = process.communicate()
    assert printed == f"{process.pid}|server --app-name data-toolbox|a $b|{START.parent}\n"


@pytest.mark.parametrize("workers", ["abc", "0", "-1", "1.5"])
def test_an_invalid_number_of_workers_is_reported_in_one_line(workers):
    environment = {"PATH": "/usr/bin:/bin"} | SETTINGS | {"MLFLOW_WORKERS": workers}
    ran = subprocess.run([sys.executable, START], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr == f"FAIL: MLFLOW_WORKERS is {workers!r}: set it to a whole number from 1.\n"


@pytest.fixture(scope="module")
def serve():
    return program("ml-flow-docker/serve.py")


@pytest.mark.parametrize("value", ["true", "True", "1"])
def test_mlflows_own_server_is_used_for_background_jobs_however_they_are_enabled(serve, value):
    assert serve.is_left_to_mlflow({"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": value})


def test_a_blank_option_does_not_require_mlflows_own_server(serve):
    assert not serve.is_left_to_mlflow({"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_STATIC_PREFIX": ""})


def test_metrics_are_collected_only_if_a_folder_for_them_is_set(serve):
    assert "prometheus_multiproc_dir" not in serve.worker_variables(SETTINGS | {"MLFLOW_EXPOSE_PROMETHEUS": ""})
    assert serve.worker_variables(SETTINGS | {"MLFLOW_EXPOSE_PROMETHEUS": "/m"})["prometheus_multiproc_dir"] == "/m"


def test_mlflow_finds_the_application_by_its_entry_point(monkeypatch):
    # MLflow also finds the other programs next to it.
    monkeypatch.syspath_prepend(START.parent)
    [found] = metadata.Distribution.discover(name="data-toolbox", path=[str(START.parent)])
    assert found.metadata["Name"] == "data-toolbox"
    [entry] = found.entry_points
    assert (entry.group, entry.name) == ("mlflow.app", "data-toolbox")
    assert callable(getattr(program(f"ml-flow-docker/{entry.module}.py"), entry.attr))
