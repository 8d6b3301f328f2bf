"""The health checks: a server is healthy when it answers from its database and there is room on the disk."""

import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.copies import free_ports
from tests.support.layers import ROOT, program


@contextmanager
def server(status, body=b"{}"):
    """Run an HTTP server; yield its port and the list of (host, path) that it is asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.headers["Host"], self.path))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=[0.01], daemon=True).start()
        try:
            yield http.server_port, asked
        finally:
            http.shutdown()


@pytest.fixture
def problem():
    return program("ml-flow-docker/healthcheck.py").problem


def test_an_answer_from_the_database_is_health(problem):
    with server(200) as (port, _):
        assert problem(port) is None


def test_it_asks_for_a_record_under_the_name_that_the_notebook_uses(problem):
    with server(200) as (port, asked):
        problem(port)
    assert asked == [(f"mlflow:{port}", "/api/2.0/mlflow/experiments/get?experiment_id=0")]


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_another_answer_is_not_and_its_text_is_told(problem, status):
    with server(status, b'{"message": "(psycopg2.OperationalError) connection refused \xff"}') as (port, _):
        told = problem(port)
    assert f"HTTP {status}" in told
    assert "psycopg2.OperationalError" in told


def test_silence_is_not(problem):
    problem.__globals__["TIMEOUT_SECONDS"] = 0.05
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "does not answer within 0.05 s" in problem(silent.getsockname()[1])


def test_a_closed_port_is_not(problem):
    assert "Connection refused" in problem(free_ports(1)[0])


def test_something_that_speaks_no_http_is_not(problem):
    def speak(listener):
        client, _ = listener.accept()
        with client:
            client.recv(1000)
            client.sendall(b"EHLO\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=speak, args=[listener], daemon=True).start()
        assert "EHLO" in problem(listener.getsockname()[1])


def test_mlflow_misses_room_only_where_little_is_left(tmp_path):
    check = program("ml-flow-docker/healthcheck.py")
    assert check.lack_of_room(tmp_path) is None
    check.LEAST_ROOM_MB = 1 << 40
    assert check.lack_of_room(tmp_path).startswith("The disk of the artifacts is full: ")


@pytest.mark.parametrize(("status", "code"), [(200, 0), (500, 1)])
def test_docker_learns_it_from_the_exit_code_and_people_from_the_output(tmp_path, status, code):
    with server(status, b"no database") as (port, _):
        command = [sys.executable, ROOT / "ml-flow-docker" / "healthcheck.py"]
        environment = {"MLFLOW_PORT": str(port), "MLFLOW_ARTIFACTS_DESTINATION": str(tmp_path)}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert ("no database" in ended.stderr) == (code == 1)


# --- postgres-docker/healthcheck ---


@pytest.fixture
def check_postgres(tmp_path):
    """Run the check of postgres with a psql that ends with a code and a disk with so many MB free."""

    def run(code, room_mb):
        table = f"Filesystem 1048576-blocks Used Available Capacity Mounted on\ntmpfs 256 0 {room_mb} 0% /data\n"
        for name, body in (
            ("psql", f'echo "psql $* with $PGPASSWORD"\nexit {code}\n'),
            ("df", f"printf '{table.replace('%', '%%')}'\n"),
        ):
            (tmp_path / name).write_text(f"#!/bin/sh\n{body}")
            (tmp_path / name).chmod(0o755)
        (tmp_path / "mlflow").write_text("a $b\n")
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PGDATA": "/data"}
        script = (ROOT / "postgres-docker" / "healthcheck").read_text().replace("/secrets/", f"{tmp_path}/")
        command = ["sh", "-c", script]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def test_a_database_that_answers_and_has_room_is_healthy(check_postgres):
    checked = check_postgres(0, 32)
    assert checked.returncode == 0
    assert checked.stdout == "psql -h 127.0.0.1 -U mlflow -d mlflow -qtAc SELECT with a $b\n"


def test_a_database_that_does_not_answer_is_not(check_postgres):
    assert check_postgres(2, 1000).returncode == 1


def test_a_database_without_room_is_not_and_says_so(check_postgres):
    checked = check_postgres(0, 31)
    assert checked.returncode == 1
    assert "The disk of the database is full: 31 MB are free." in checked.stdout


def test_both_disks_are_full_at_the_same_number():
    least = program("ml-flow-docker/healthcheck.py").LEAST_ROOM_MB
    assert f"least_room_mb={least}\n" in (ROOT / "postgres-docker" / "healthcheck").read_text()
