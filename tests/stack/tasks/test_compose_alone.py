"""Plain Docker Compose in a fresh clone creates the secrets and keeps them, until .env sets others."""

import json
import re
import time
from contextlib import closing
from urllib.parse import unquote

import psycopg2
import pytest

from tests.support.copies import ABSURD, JUPYTER_TOKEN, PASSWORDS, ROOT, Copy, quoted
from tests.support.waiting import until
from toolbox.compose import IN_ORDER, SERVICES

pytestmark = pytest.mark.stack

ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/lab\?token=(\S+)$", flags=re.M)
# Over the REST API: this runs after each of the tests, and importing MLflow takes seconds.
LOG_A_RUN = """
import json, os, psycopg2, urllib.request
def post(path, **body):
    address = f"{os.environ['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/{path}"
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))
run = post("runs/create", experiment_id="0")["run"]["info"]["run_id"]
post("runs/log-metric", run_id=run, key="loss", value=1, timestamp=0)
found = psycopg2.connect("").cursor()
found.execute("SELECT value FROM metrics WHERE run_uuid = %s", [run])
print("found", *found.fetchone())
"""


class Bare(Copy):
    """A fresh clone without .env. Its name, ports and base images are set in the environment."""

    def __init__(self, folder, bases):
        super().__init__(folder, chosen=False)
        self.env.unlink()
        self.surroundings = {"COMPOSE_PROJECT_NAME": self.project, **bases}
        self.surroundings |= {name: str(port) for name, port in self.ports.items()}

    def run(self, *command, stdin="", **environment):
        return super().run(*command, stdin=stdin, **getattr(self, "surroundings", {}) | environment)

    def up(self):
        """Start with plain Compose; return the output of the last run of `secrets`."""
        before = self.compose("logs", "--no-log-prefix", "secrets")
        self.compose("up", "--wait")
        after = self.compose("logs", "--no-log-prefix", "secrets")
        return after.removeprefix(before)

    def log(self, service):
        """Return the log of a service, without the escape codes of some versions of Compose."""
        return self.compose("logs", "--no-log-prefix", service).replace("\x1b[2K", "")

    def token(self):
        """Return the token in the last address in the log of the notebook."""
        port, token = ADDRESS.findall(self.log("notebook"))[-1]
        assert int(port) == self.ports["NOTEBOOK_PORT"]
        return unquote(token)

    def password(self):
        """Return the password of the analyst from the containers."""
        return self.secret("postgres", "analyst")

    def accepts_password(self, password):
        """Return whether the database accepts a password of the analyst from this machine."""
        try:
            self.connect("analyst", "mlflow", password).close()
        except psycopg2.OperationalError as error:
            if "password authentication failed" in str(error):
                return False
            raise
        return True

    def accepts_token(self, token):
        """Return whether JupyterLab accepts a token."""
        return self.get("notebook", "/api/contents", Authorization=f"token {token}")[0] == 200

    def works(self):
        """Return whether a program in the notebook logs a run and finds it by SQL."""
        return self.compose("exec", "--no-TTY", "notebook", "python", "-c", LOG_A_RUN).endswith("found 1.0\n")

    def delete(self, *volumes):
        """Delete the containers, and some volumes."""
        self.compose("down")
        for volume in volumes:
            assert self.run("docker", "volume", "rm", f"{self.project}_{volume}").returncode == 0

    def in_volumes(self, script):
        """Run a shell script in a container with all secrets writable; return its output."""
        return self.compose("run", "--rm", "--no-TTY", "--entrypoint", "sh", "secrets", "-c", script)


@pytest.fixture(scope="module")
def bare(toolbox, tmp_path_factory):
    bases = {f"{service.upper()}_BASE_IMAGE": toolbox.base(service) for service in SERVICES}
    copy = Bare(tmp_path_factory.mktemp("bare") / "data-toolbox", bases)
    try:
        copy.first_output = copy.up()
        copy.last_line = copy.log("notebook").splitlines()[-1]
        yield copy
    finally:
        copy.env.unlink(missing_ok=True)
        copy.succeed("clean", "--yes")
    assert copy.remains() == []


@pytest.fixture
def unset(bare):
    """That clone, with generated secrets."""
    if not all(re.fullmatch(r"[\w-]{24}", secret) for secret in (bare.secret("notebook", "token"), bare.password())):
        bare.delete("notebook-secrets", "mlflow-secrets", "postgres-secrets")
        bare.up()
    return bare


@pytest.fixture
def settings(bare):
    """The path of .env, which is deleted afterwards."""
    yield bare.env
    bare.env.unlink(missing_ok=True)


def test_compose_up_starts_everything_and_the_log_ends_with_the_address(unset):
    assert {unset.health(service)[0] for service in SERVICES} == {"healthy"}
    assert unset.first_output.count("Generated a new") == 3
    assert ADDRESS.search(unset.last_line)
    assert re.fullmatch(r"[\w-]{24}", unset.token())
    assert unset.accepts_token(unset.token())
    assert not unset.accepts_token("")
    assert not unset.accepts_token(unset.token()[:-1])
    assert unset.works()
    assert not unset.env.exists()


def test_of_the_generated_secrets_only_the_token_is_shown_and_only_by_the_notebook(unset):
    token, password = unset.token(), unset.password()
    owner = unset.secret("postgres", "mlflow")
    shown = {service: unset.log(service) for service in IN_ORDER}
    assert [service for service in shown if token in shown[service]] == ["notebook"]
    shown |= {f"container {service}": json.dumps(unset.inspect(service)) for service in IN_ORDER}
    shown["configuration"] = unset.compose("config")
    assert [name for name, text in shown.items() if password in text or owner in text] == []
    assert [name for name, text in shown.items() if token in text] == ["notebook"]


def test_the_tasks_use_a_toolbox_started_by_compose_and_create_no_env(unset):
    token, password = unset.token(), unset.password()
    assert "healthy" in unset.succeed("status")
    printed = unset.succeed("up")
    assert f"/lab?token={token}\n" in printed
    address = re.search(r"postgresql://\S+", printed)[0]
    assert address == f"postgresql://analyst:{password}@127.0.0.1:{unset.ports['POSTGRES_PORT']}/mlflow"
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("analyst",)
    assert not unset.env.exists()


def test_generated_secrets_survive_down_and_are_deleted_with_the_volumes(unset):
    before = unset.token(), unset.password()
    unset.compose("down")
    assert unset.up() == ""
    assert (unset.token(), unset.password()) == before
    unset.compose("down", "--volumes")
    assert unset.up().count("Generated a new") == 3
    assert {unset.token(), unset.password()} & set(before) == set()
    assert unset.works()


def test_a_password_set_in_env_replaces_the_old_one_and_stays_after_its_removal_from_env(bare, settings):
    before, token = bare.password(), bare.token()
    for text in (f"ANALYST_DB_PASSWORD={quoted(ABSURD)}\n", ""):
        settings.write_text(text)
        assert bare.up() == ""
        assert bare.accepts_password(ABSURD)
        assert not bare.accepts_password(before)
        assert bare.works()
    assert bare.token() == token


def test_a_token_set_in_env_is_in_no_log_and_a_blank_one_does_not_disable_the_login(bare, settings):
    before = bare.token()
    settings.write_text(f"JUPYTER_TOKEN={quoted(JUPYTER_TOKEN)}\n")
    bare.up()
    assert bare.accepts_token(JUPYTER_TOKEN)
    assert not bare.accepts_token(before)
    assert bare.token() == "..."
    settings.write_text("JUPYTER_TOKEN='  '\n")
    bare.up()
    assert bare.accepts_token(JUPYTER_TOKEN)
    assert not bare.accepts_token("")
    assert JUPYTER_TOKEN not in bare.compose("logs")


def test_an_invalid_password_is_rejected_in_one_line_and_the_old_one_is_kept(bare, settings):
    before = bare.password()
    settings.write_text('MLFLOW_DB_PASSWORD="a\\nb"\n')
    assert bare.run("docker", "compose", "up", "--wait").returncode != 0
    assert bare.log("secrets").splitlines()[-1].startswith("FAIL: MLFLOW_DB_PASSWORD has a line break")
    refused = bare.invoke("up")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("FAIL: MLFLOW_DB_PASSWORD has a line break")
    settings.unlink()
    assert bare.up() == ""
    assert bare.accepts_password(before)
    assert bare.works()


@pytest.mark.parametrize(
    ("volumes", "count"),
    [(["postgres-secrets"], 2), (["notebook-secrets", "mlflow-secrets"], 1), (["db-store"], 0)],
    ids=["passwords", "token", "database"],
)
def test_after_the_loss_of_a_volume_secrets_are_generated_again_and_the_login_works(bare, volumes, count):
    bare.delete(*volumes)
    assert bare.up().count("Generated a new") == count
    assert bare.accepts_token(bare.secret("notebook", "token"))
    assert bare.accepts_password(bare.password())
    assert bare.works()


def test_a_changed_password_of_a_role_is_reported_by_doctor_and_reset_by_the_next_start(bare):
    bare.sql("postgres", "postgres", "ALTER ROLE analyst PASSWORD 'mine'")
    result = bare.invoke("doctor")
    assert "FAIL  passwords  the database rejects the password of analyst" in result.stdout
    bare.succeed("backup")
    bare.succeed("up")
    assert not bare.accepts_password("mine")
    assert bare.works()


def test_a_database_killed_while_it_sets_the_passwords_sets_them_at_the_next_start(bare):
    postgres = bare.container("postgres")
    bare.compose("stop")
    before = bare.in_volumes("cat /secrets-of/*/*")
    bare.compose("run", "--rm", "--no-TTY", "secrets", "--new")
    # Setting them takes about a tenth of a second after the start of the container.
    for seconds in (0.05, 0.1, 0.15, 0.2, 0.3):
        bare.run("docker", "start", postgres)
        time.sleep(seconds)
        bare.run("docker", "kill", postgres)
    bare.up()
    assert bare.in_volumes("cat /secrets-of/*/*") != before
    assert bare.accepts_password(bare.password())
    assert bare.works()


@pytest.mark.parametrize(
    ("service", "file", "line"),
    [
        ("mlflow", "mlflow/pg_service.conf", "the volume mlflow-secrets has no password"),
        ("notebook", "notebook/pg_service.conf", "the volume notebook-secrets has no pg_service.conf"),
        ("notebook", "notebook/token", "the volume notebook-secrets has no token"),
        ("postgres", "postgres/mlflow", "the volume postgres-secrets has no passwords"),
    ],
)
def test_no_service_starts_without_its_secret(bare, service, file, line):
    token = bare.token()
    bare.in_volumes(f": > /secrets-of/{file}")
    bare.compose("restart", "--no-deps", service)
    until(lambda: f"FAIL: {line}" in bare.log(service).splitlines()[-1], f"{service} reports the missing secret")
    assert "Traceback" not in bare.log(service)
    bare.up()
    assert bare.works()
    if file != "notebook/token":
        assert bare.token() == token


def test_a_full_disk_leaves_no_partial_secret(bare):
    folders = [f"--tmpfs=/secrets-of/{name}:size=4k,uid=10002" for name in ("notebook", "mlflow", "postgres")]
    # One file fills the folder of the passwords.
    options = ["--rm", "--network=none", "--user=10002", "--entrypoint=make-secrets", *folders]
    result = bare.run("docker", "run", *options, f"{bare.project}-secrets")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("FAIL: /secrets-of/")
    assert "free some space" in result.stderr.splitlines()[-1]


@pytest.fixture
def older(toolbox, tmp_path):
    """An older installation, with all passwords in .env, also the superuser's, and a user's table."""
    copy = Copy(tmp_path / "older")
    copy.set(POSTGRES_PASSWORD="of-the-superuser")
    name, volume = f"{copy.project}-older", f"{copy.project}_db-store"
    labels = ("project", copy.project), ("volume", "db-store")
    passwords = {"POSTGRES_PASSWORD": "of-the-superuser"}
    passwords |= {f"{role.upper()}_DB_PASSWORD": password for role, password in PASSWORDS.items()}
    init = ROOT / "tests" / "support" / "older-installation" / "init.sql"
    arguments = "--auth-local=scram-sha-256 --auth-host=scram-sha-256 --locale-provider=builtin"
    try:
        options = [f"--label=com.docker.compose.{label}={value}" for label, value in labels]
        copy.run("docker", "volume", "create", *options, volume)
        variables = {**passwords, "POSTGRES_INITDB_ARGS": f"{arguments} --builtin-locale=C.UTF-8 --locale=C.UTF-8"}
        started = copy.run(
            *("docker", "run", "--detach", "--rm", "--name", name, "--user", "postgres"),
            *(option for variable, value in variables.items() for option in ("--env", f"{variable}={value}")),
            f"--volume={volume}:/var/lib/postgresql/data",
            f"--volume={init}:/docker-entrypoint-initdb.d/init.sql:ro",
            toolbox.base("postgres"),
        )
        assert started.returncode == 0, started.stderr
        psql = ["docker", "exec", "--env", f"PGPASSWORD={PASSWORDS['analyst']}", name, "psql", "-h", "127.0.0.1"]
        psql += ["-U", "analyst", "-d", "datasets", "-qc"]
        until(lambda: copy.run(*psql, "SELECT").returncode == 0, "the older database answers")
        assert copy.run(*psql, "CREATE TABLE mine AS SELECT 7 AS a").returncode == 0
        assert copy.run("docker", "stop", name).returncode == 0
        yield copy
    finally:
        copy.run("docker", "rm", "--force", name)
        copy.succeed("clean", "--yes")
        copy.run("docker", "volume", "rm", volume)


def test_an_older_installation_with_passwords_in_env_keeps_its_data(older):
    older.succeed("up")
    assert older.sql("analyst", "datasets", "SELECT a FROM mine") == [(7,)]
    assert older.sql("mlflow", "mlflow", "SELECT current_user") == [("mlflow",)]
    assert older.sql("postgres", "postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'") == [
        (None,)
    ]
    with pytest.raises(psycopg2.OperationalError, match="rejects connection"):
        older.connect("postgres", "postgres", "of-the-superuser")
    assert older.get("notebook", "/api/contents", Authorization=f"token {JUPYTER_TOKEN}")[0] == 200
    printed = older.succeed("doctor")
    assert "warn  .env       POSTGRES_PASSWORD is set, but nothing reads it" in printed
