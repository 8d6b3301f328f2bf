"""The tasks work on real containers, reject bad input in one line, and leave other copies alone."""

import contextlib
import html
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support.copies import Copy, free_ports
from tests.support.waiting import DATABASE_ROUTE, answers
from toolbox.compose import SERVICES

pytestmark = pytest.mark.stack


@pytest.fixture
def refused(toolbox):
    """A function that runs a task that must fail and change nothing, and returns its error."""

    def run(*arguments, **options):
        containers, env = [toolbox.container(service) for service in SERVICES], toolbox.env.read_bytes()
        result = toolbox.invoke(*arguments, **options)
        assert result.returncode != 0
        assert "Traceback" not in result.stderr
        assert toolbox.env.read_bytes() == env
        assert [toolbox.container(service) for service in SERVICES] == containers
        assert all(toolbox.health(service)[0] == "healthy" for service in SERVICES)
        [line] = [line for line in result.stderr.splitlines() if line.startswith("FAIL: ")]
        assert result.stderr.splitlines()[-1] == line
        return line

    return run


@contextlib.contextmanager
def registry(status, code):
    """A container registry on this machine that answers every request with an HTTP status and an error code."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.path == "/v2/"
            body = b"{}" if known else json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode()
            self.send_response(200 if known else status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_up_on_a_running_toolbox_changes_nothing_and_prints_the_addresses(toolbox):
    before = [toolbox.container(service) for service in SERVICES]
    printed = toolbox.succeed("up")
    assert [toolbox.container(service) for service in SERVICES] == before
    assert toolbox.url("notebook", "/lab?token=token-%26%3F%23%2F%2B%3D%2520") in printed
    assert toolbox.url("mlflow", "") in printed


def test_the_printed_address_of_the_notebook_logs_in(toolbox):
    [address] = [word for word in toolbox.succeed("up").split() if "/lab?token=" in word]
    status, page = toolbox.get("notebook", address.removeprefix(toolbox.url("notebook", "")))
    assert status == 200
    assert b"jupyter-config-data" in page


def test_status_shows_each_service(toolbox):
    lines = toolbox.succeed("status").splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [[service, "healthy"] for service in SERVICES]
    assert max(map(len, lines[:4])) <= 80


def test_status_gives_programs_the_details_as_json(toolbox):
    services = json.loads(toolbox.succeed("status", "--json"))
    assert [it["service"] for it in services] == list(SERVICES)
    for it in services:
        port = toolbox.ports[f"{it['service'].upper()}_PORT"]
        assert it["address"].endswith(f"127.0.0.1:{port}")
        assert it["since"] == toolbox.inspect(it["service"])["State"]["StartedAt"]
        assert it["base_image"] == toolbox.base(it["service"])
        assert (
            1e6
            < it["memory_bytes"]
            < it["memory_limit_bytes"]
            == toolbox.inspect(it["service"])["HostConfig"]["Memory"]
        )
        assert it["volume_bytes"] > 0
        assert re.fullmatch(r"\d+(\.\d+)+", it["version"])


def test_open_opens_the_pages_in_the_browser_without_the_token_on_a_command_line(toolbox, tmp_path):
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/opened\n')
    browser.chmod(0o755)
    try:
        toolbox.succeed("open", BROWSER=str(browser))
        toolbox.succeed("open", "--service", "mlflow", BROWSER=str(browser))
        opened = (tmp_path / "opened").read_text().split()
        assert opened == [(toolbox.root / "open-notebook.html").as_uri(), toolbox.url("mlflow", "")]
        page = toolbox.root / "open-notebook.html"
        assert html.escape(toolbox.url("notebook", "/lab?token=token-%26%3F%23%2F%2B%3D%2520")) in page.read_text()
        assert page.stat().st_mode & 0o777 == 0o600
    finally:
        (toolbox.root / "open-notebook.html").unlink(missing_ok=True)


def test_psql_runs_sql_and_prints_its_errors(toolbox):
    assert "datasets" in toolbox.succeed("psql", "--database", "datasets", "--command", "SELECT current_database()")
    result = toolbox.invoke("psql", "--command", "SELECT nothing")
    assert result.returncode != 0
    assert 'column "nothing" does not exist' in result.stderr


def test_psql_prints_only_the_result_and_all_of_it(toolbox):
    result = toolbox.invoke("psql", "--command", "COPY (SELECT * FROM generate_series(1, 100000)) TO STDOUT")
    assert (result.stdout.splitlines(), result.stderr) == ([str(number) for number in range(1, 100_001)], "")


def test_psql_reads_sql_from_standard_input(toolbox):
    result = toolbox.invoke("psql", stdin="SELECT 6 * 7;\n")
    assert "42" in result.stdout


def test_logs_shows_one_service(toolbox):
    printed = toolbox.succeed("logs", "--service", "postgres", "--tail", "all")
    assert "database system is ready" in printed
    assert "mlflow-1" not in printed


def test_health_checks_are_not_in_the_logs_and_other_requests_are(toolbox):
    # The same request as the health check, but from this machine.
    assert answers(toolbox)
    lines = toolbox.succeed("logs", "--service", "mlflow", "--tail", "all").splitlines()
    requests = [line for line in lines if f"GET {DATABASE_ROUTE} " in line and "200 OK" in line]
    assert requests
    assert [line for line in requests if " 127.0.0.1:" in line] == []


@pytest.mark.parametrize("since", ["2h", "2020-01-01", "2020-01-01T09:30"])
def test_docker_accepts_the_times_that_logs_accepts(toolbox, since):
    toolbox.succeed("logs", "--since", since)


def test_runs_lists_a_run_of_a_killed_program_and_ends_it_with_an_option(toolbox):
    killed = toolbox.in_notebook("leave_a_run.py")
    assert killed in toolbox.succeed("runs")
    assert killed in toolbox.succeed("runs", "--end", "1")
    assert killed not in toolbox.succeed("runs", "--end", "0")
    [[status, begin, end]] = toolbox.sql(
        "mlflow", "mlflow", f"SELECT status, start_time, end_time FROM runs WHERE run_uuid = '{killed}'"
    )
    assert status == "KILLED"
    assert end > begin


def test_plain_docker_compose_starts_the_toolbox_again(toolbox):
    toolbox.compose("down")
    toolbox.compose("up", "--wait")
    assert all(toolbox.health(service)[0] == "healthy" for service in SERVICES)


# --- Bad input ---


def test_a_port_in_use_is_named_with_its_setting(toolbox, refused):
    with (
        HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other,
        toolbox.changed(MLFLOW_PORT=other.server_port),
    ):
        line = refused("up")
    assert f"port {other.server_port} on 127.0.0.1" in line
    assert "MLFLOW_PORT" in line


def test_windows_line_endings_in_env_are_refused(toolbox, refused):
    before = toolbox.env.read_bytes()
    toolbox.env.write_bytes(before.replace(b"\n", b"\r\n"))
    try:
        assert "CRLF" in refused("up")
    finally:
        toolbox.env.write_bytes(before)


def test_a_base_image_that_its_registry_does_not_have_is_an_error(toolbox, refused):
    with registry(404, "MANIFEST_UNKNOWN") as host, toolbox.changed(MLFLOW_BASE_IMAGE=f"{host}/python:4"):
        line = refused("up")
    assert "does not exist" in line
    assert "MLFLOW_BASE_IMAGE" in line


def test_a_base_image_that_its_registry_denies_is_an_error(toolbox, refused):
    with registry(403, "DENIED") as host, toolbox.changed(NOTEBOOK_BASE_IMAGE=f"{host}/scipy-notebook:1"):
        line = refused("build")
    assert "refuses" in line
    assert "NOTEBOOK_BASE_IMAGE" in line


def test_a_base_image_that_the_user_chose_is_never_substituted(toolbox, refused):
    [port] = free_ports(1)
    with toolbox.changed(POSTGRES_BASE_IMAGE=f"localhost:{port}/postgres:17"):
        line = refused("up")
    assert "no registry answers" in line
    assert "POSTGRES_BASE_IMAGE" in line


def test_clean_deletes_nothing_without_yes(toolbox, refused):
    remains = toolbox.remains()
    assert "nothing was deleted" in refused("clean")
    assert toolbox.remains() == remains


# --- A second copy ---


def test_a_second_copy_runs_next_to_the_first_and_its_clean_deletes_nothing_else(toolbox, tmp_path):
    before = toolbox.remains()
    second = Copy(tmp_path / "second")
    try:
        second.succeed("up")
        assert second.psql("analyst", "mlflow", "SELECT count(*) AS runs FROM runs").split()[2] == "0"
        assert len(second.remains()) >= len(SERVICES) * 3
    finally:
        second.succeed("clean", "--yes")
    assert second.remains() == []
    assert toolbox.remains() == before
    assert all(toolbox.health(service)[0] == "healthy" for service in SERVICES)


def test_a_service_that_does_not_become_healthy_is_named_with_the_end_of_its_log(tmp_path):
    broken = Copy(tmp_path / "broken")
    broken.set(MLFLOW_EXPOSE_PROMETHEUS="/read-only")
    try:
        result = broken.invoke("up")
    finally:
        broken.succeed("clean", "--yes")
    assert result.returncode != 0
    assert result.stderr.splitlines()[-1].startswith("FAIL: mlflow did not become healthy")
    assert "Read-only file system: '/read-only'" in result.stdout
