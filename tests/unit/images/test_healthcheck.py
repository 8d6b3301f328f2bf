"""The health checks: a server is healthy when it answers from its database and its disk has space."""

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
    """Run an HTTP server; yield its port and the list of requested (host, path)."""
    requested = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requested.append((self.headers["Host"], self.path))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=[0.01], daemon=True).start()
        try:
            yield http.server_port, requested
        finally:
            http.shutdown()


@pytest.fixture
def problem():
    return program("ml-flow-docker/healthcheck.py").problem


def test_a_server_that_answers_from_its_database_is_healthy(problem):
    with server(200) as (port, _):
        assert problem(port) is None


def test_the_check_requests_a_record_with_the_host_name_that_the_notebook_uses(problem):
    with server(200) as (port, requested):
        problem(port)
    assert requested == [(f"mlflow:{port}", "/api/2.0/mlflow/experiments/get?experiment_id=0")]


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_server_with_an_error_is_unhealthy_and_its_message_is_reported(problem, status):
    with server(status, b'{"message": "(psycopg2.OperationalError) connection refused \xff"}') as (port, _):
        text = problem(port)
    assert f"HTTP {status}" in text
    assert "psycopg2.OperationalError" in text


def test_a_server_that_does_not_answer_is_unhealthy(problem):
    problem.__globals__["TIMEOUT_SECONDS"] = 0.05
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "does not answer within 0.05 s" in problem(silent.getsockname()[1])


def test_a_closed_port_is_unhealthy(problem):
    assert "Connection refused" in problem(free_ports(1)[0])


def test_a_server_that_does_not_speak_http_is_unhealthy(problem):
    def speak(listener):
        client, _ = listener.accept()
        with client:
            client.recv(1000)
            client.sendall(b"EHLO\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=speak, args=[listener], daemon=True).start()
        assert "EHLO" in problem(listener.getsockname()[1])


def test_mlflow_is_unhealthy_only_if_little_space_is_left(tmp_path):
    check = program("ml-flow-docker/healthcheck.py")
    assert check.lack_of_space(tmp_path) is None
    check.LEAST_FREE_MB = 1 << 40
    assert check.lack_of_space(tmp_path).startswith("The disk of the artifacts is full: ")


@pytest.mark.parametrize(("status", "code"), [(200, 0), (500, 1)])
def test_the_check_of_mlflow_exits_with_1_and_the_reason_if_unhealthy(tmp_path, status, code):
    with server(status, b"no database") as (port, _):
        command = [sys.executable, ROOT / "ml-flow-docker" / "healthcheck.py"]
        environment = {"MLFLOW_PORT": str(port), "MLFLOW_ARTIFACTS_DESTINATION": str(tmp_path)}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == code
    assert ("no database" in ran.stderr) == (code == 1)


# --- postgres-docker/healthcheck ---


@pytest.fixture
def check_postgres(tmp_path):
    """Run the check of postgres with an exit code of psql and the free MB of the disk."""

    def run(code, free_mb):
        table = f"Filesystem 1048576-blocks Used Available Capacity Mounted on\ntmpfs 256 0 {free_mb} 0% /data\n"
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


def test_a_database_that_answers_and_has_space_is_healthy(check_postgres):
    checked = check_postgres(0, 32)
    assert checked.returncode == 0
    assert checked.stdout == "psql -h 127.0.0.1 -U mlflow -d mlflow -qtAc SELECT with a $b\n"


def test_a_database_that_does_not_answer_is_unhealthy(check_postgres):
    assert check_postgres(2, 1000).returncode == 1


def test_a_database_without_space_is_unhealthy_and_reports_it(check_postgres):
    checked = check_postgres(0, 31)
    assert checked.returncode == 1
    assert "The disk of the database is full: 31 MB are free." in checked.stdout


def test_both_checks_have_the_same_limit_of_free_space():
    least = program("ml-flow-docker/healthcheck.py").LEAST_FREE_MB
    assert f"least_free_mb={least}\n" in (ROOT / "postgres-docker" / "healthcheck").read_text()
