"""ml-flow-docker/healthcheck.py: the server is healthy when it answers from its database."""

import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from copies import free_ports
from layers import ROOT, program


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


@pytest.mark.parametrize(("status", "code"), [(200, 0), (500, 1)])
def test_docker_learns_it_from_the_exit_code_and_people_from_the_output(status, code):
    with server(status, b"no database") as (port, _):
        command = [sys.executable, ROOT / "ml-flow-docker" / "healthcheck.py"]
        ended = subprocess.run(command, env={"MLFLOW_PORT": str(port)}, capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert ("no database" in ended.stderr) == (code == 1)
