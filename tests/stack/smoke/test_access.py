"""Each service accepts only its credentials, from this machine, and each role has only its privileges."""

import psycopg2
import pytest

from tests.support.copies import JUPYTER_TOKEN, PASSWORDS, TOKEN_HEADER
from toolbox.compose import SERVICES
from toolbox.credentials import ROLES

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("toolbox")]

PUBLIC_ROUTE = "/api/2.0/mlflow/experiments/get?experiment_id=0"


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_published_on_loopback_only(toolbox, service):
    bindings = [
        binding for port in toolbox.inspect(service)["NetworkSettings"]["Ports"].values() for binding in port or ()
    ]
    assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}


@pytest.mark.parametrize(("service", "uid"), [("notebook", 1000), ("mlflow", 10001), ("postgres", 70)])
def test_no_service_runs_as_root(toolbox, service, uid):
    # The real and effective UIDs of the first process.
    status = toolbox.host(service).file("/proc/1/status").content_string
    assert next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:3] == [str(uid)] * 2


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_is_on_a_command_line(toolbox, service):
    lines = toolbox.host(service).check_output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert not [secret for secret in (*PASSWORDS.values(), JUPYTER_TOKEN) if secret in lines]


def test_no_secret_is_in_the_logs(toolbox):
    logs = toolbox.first_logs + toolbox.compose("logs")
    assert "init.sql" in logs
    assert not [secret for secret in (*PASSWORDS.values(), JUPYTER_TOKEN) if secret.strip() in logs]


# --- the notebook ---


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "token wrong"}, {"Authorization": "token "}], ids=["no", "a wrong", "an empty"]
)
def test_the_notebook_rejects_requests_without_the_token(toolbox, headers):
    assert toolbox.get("notebook", "/api/contents", **headers)[0] == 403


def test_the_notebook_accepts_the_token(toolbox):
    assert toolbox.get("notebook", "/api/contents", **TOKEN_HEADER)[0] == 200


def test_the_notebook_shows_the_login_page_without_the_token(toolbox):
    status, page = toolbox.get("notebook", "/lab")
    assert status == 200
    assert b"Where the token is" in page


# --- mlflow ---


@pytest.mark.parametrize("host", ["evil.example", "10.evil.example", "192.168.1.5:5000", "mlflow", "localhost:1", ""])
def test_mlflow_rejects_requests_with_a_foreign_host_name(toolbox, host):
    assert toolbox.get("mlflow", PUBLIC_ROUTE, Host=host)[0] == 403


@pytest.mark.parametrize("host", ["mlflow:5000", "localhost:{port}", "127.0.0.1:{port}"])
def test_mlflow_accepts_requests_with_its_own_host_names(toolbox, host):
    assert toolbox.get("mlflow", PUBLIC_ROUTE, Host=host.format(port=toolbox.ports["MLFLOW_PORT"]))[0] == 200


@pytest.mark.parametrize(
    ("service", "own"),
    [
        ("notebook", {JUPYTER_TOKEN, PASSWORDS["analyst"]}),
        ("mlflow", {PASSWORDS["mlflow"]}),
        ("postgres", set(PASSWORDS.values())),
    ],
)
def test_a_service_can_read_only_its_own_secrets(toolbox, service, own):
    host = toolbox.host(service)
    # In a file of libpq the last space is a non-breaking one.
    files = host.check_output("cat /secrets/*").replace("\u00a0", " ")
    assert {secret for secret in (*PASSWORDS.values(), JUPYTER_TOKEN) if secret in files} == own
    environment = host.check_output("cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'")
    assert not [secret for secret in (*PASSWORDS.values(), JUPYTER_TOKEN) if secret.strip() in environment]
    assert host.run("touch /secrets/mine").rc != 0


# --- postgres ---


@pytest.mark.parametrize("role", ROLES)
def test_postgres_rejects_a_wrong_password(toolbox, role):
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        toolbox.connect(role, "mlflow", password="wrong")


@pytest.mark.parametrize("role", ["postgres", *ROLES])
def test_the_containers_user_connects_over_the_socket_without_a_password(toolbox, role):
    command = f"psql --no-password -U {role} -d mlflow -qtAc 'SELECT current_user'"
    assert toolbox.host("postgres").check_output(command) == role


@pytest.mark.parametrize("password", ["", "postgres", *PASSWORDS.values()])
def test_the_superuser_can_connect_only_over_the_socket(toolbox, password):
    with pytest.raises(psycopg2.OperationalError, match="rejects connection"):
        toolbox.connect("postgres", "mlflow", password=password or "x")
    command = ["exec", "--no-TTY", "--env", f"PGPASSWORD={password}", "postgres"]
    command += ["psql", "-h", "127.0.0.1", "-U", "postgres", "-c", "SELECT"]
    inside = toolbox.run("docker", "compose", *command)
    assert "rejects connection" in inside.stderr


def test_other_users_of_the_container_need_a_password_on_the_socket_too(toolbox):
    client = ["psql", "--no-password", "-U", "analyst", "-d", "mlflow", "-c", "SELECT"]
    result = toolbox.run("docker", "compose", "exec", "--no-TTY", "--user", "nobody", "postgres", *client)
    assert "Peer authentication failed" in result.stderr


def test_passwords_are_stored_and_verified_with_scram(toolbox):
    rules = toolbox.sql("postgres", "postgres", "SELECT DISTINCT type, auth_method FROM pg_hba_file_rules")
    stored = toolbox.sql(
        "postgres", "postgres", "SELECT rolname, left(rolpassword, 13) FROM pg_authid WHERE rolcanlogin"
    )
    assert {method for kind, method in rules if kind == "host"} == {"scram-sha-256", "reject"}
    assert dict(stored) == {"postgres": None, "mlflow": "SCRAM-SHA-256", "analyst": "SCRAM-SHA-256", "restorer": None}


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO params (key, value, run_uuid) VALUES ('a', 'b', 'c')",
        "UPDATE experiments SET name = 'mine'",
        "DELETE FROM experiments",
        "TRUNCATE experiments",
        "DROP TABLE experiments",
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
    ],
)
def test_the_analyst_cannot_change_the_database_mlflow(toolbox, sql):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        toolbox.sql("analyst", "mlflow", sql)


def test_the_analyst_can_read_every_table_of_mlflow(toolbox):
    sql = """
        SELECT count(*), count(*) FILTER (WHERE has_table_privilege(oid, 'SELECT'))
        FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    """
    [(tables, readable)] = toolbox.sql("analyst", "mlflow", sql)
    assert readable == tables > 20


def test_the_notebook_can_store_tables_in_datasets(toolbox):
    assert toolbox.in_notebook("own_tables.py") == [["é", 1.5], ["b", 2.5]]


@pytest.mark.parametrize("role", ["mlflow", "analyst"])
def test_the_roles_of_the_services_have_no_special_privileges(toolbox, role):
    privileges = "rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
    sql = f"SELECT {privileges} FROM pg_roles WHERE rolname = current_user"
    memberships = "SELECT count(*) FROM pg_auth_members WHERE member = current_user::regrole"
    assert toolbox.sql(role, "mlflow", sql) == [(False,) * 5]
    assert toolbox.sql(role, "mlflow", memberships) == [(0,)]


@pytest.mark.parametrize(
    ("role", "database"), [("mlflow", "datasets"), ("mlflow", "postgres"), ("analyst", "postgres")]
)
def test_a_role_cannot_connect_to_a_database_of_others(toolbox, role, database):
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        toolbox.connect(role, database)
