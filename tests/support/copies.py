"""A toolbox of the tests' own: a copy of this repository with its own project name, ports and passwords."""

import http.client
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg2
import testinfra

from toolbox import images
from toolbox.data import upgrade
from toolbox.instance import Toolbox

ROOT = Path(__file__).parents[2]
# A character of every kind that a shell, SQL, an address or .env could take for its own.
ABSURD = """ a b'c"d$e${f}@g/h%i%20:j\\k#l;é """
PASSWORDS = {"mlflow": f"2{ABSURD}", "analyst": f"3{ABSURD}"}
JUPYTER_TOKEN = "token-&?#/+=%20"
TOKEN_HEADER = {"Authorization": f"token {JUPYTER_TOKEN}"}
# In a configuration, and in the address that a notebook logs.
SECRET = re.compile(r"((?:TOKEN|PASSWORD): |token=).+")
LOG_LINES = "15"
PORTS = ("NOTEBOOK_PORT", "MLFLOW_PORT", "POSTGRES_PORT")
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".env", "docker-compose.override.yml", "__pycache__", ".*_cache")


def free_ports(count):
    """Return as many TCP ports of 127.0.0.1 that nothing listens on."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def surroundings(**changes):
    """Return the environment of this process without settings for a toolbox or its tools, and with the changes."""
    foreign = ("COMPOSE_", "MLFLOW_", "PG")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | changes


def without_secrets(text):
    """Return what Docker prints about a toolbox without its passwords and token."""
    return SECRET.sub(r"\1***", text)


def quoted(value):
    """Return a value as it has to be written in .env when it may hold any character."""
    return "'" + value.replace("'", "\\'") + "'"


class Copy:
    """A copy of the repository in `folder`, with its own name and ports, and those passwords if they are `chosen`.

    Everything but its settings goes the way of a user: tasks and `docker compose` in processes of their own, HTTP and
    SQL through the published ports.
    """

    # All of this process.
    made = []  # noqa: RUF012

    def __init__(self, folder, chosen=True):
        self.made.append(self)
        self.failure = ""
        self.root = folder
        self.project = f"data-toolbox-test-{secrets.token_hex(4)}"
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        shutil.copytree(ROOT, folder, ignore=NOT_COPIED)
        self.set(COMPOSE_PROJECT_NAME=self.project, **self.ports)
        if chosen:
            self.set(JUPYTER_TOKEN=quoted(JUPYTER_TOKEN))
            self.set(**{f"{role.upper()}_DB_PASSWORD": quoted(password) for role, password in PASSWORDS.items()})

    @property
    def toolbox(self):
        """The object that the tasks have; the tests use its settings."""
        return Toolbox(None, root=self.root)

    @property
    def env(self):
        """The path of .env."""
        return self.toolbox.env

    def set(self, **values):
        """Set names in .env to values, which are written as they are."""
        self.toolbox.set(**values)

    @contextmanager
    def changed(self, **values):
        """Have other values in .env for the block."""
        before = self.env.read_bytes()
        self.set(**values)
        try:
            yield
        finally:
            self.env.write_bytes(before)

    def run(self, *command, stdin="", **environment):
        """Run a command in the copy, without the settings of this process; return the result, its output as text."""
        surrounded = surroundings(**environment)
        return subprocess.run(
            command, cwd=self.root, env=surrounded, input=stdin, capture_output=True, text=True, check=False
        )

    def invoke(self, *arguments, **options):
        """Run a task; return the result."""
        return self.run(sys.executable, "-m", "invoke", *arguments, **options)

    def succeed(self, *arguments, **options):
        """Run a task that has to succeed; return what it printed."""
        result = self.invoke(*arguments, **options)
        if result.returncode:
            # A fixture may delete the toolbox before the test is reported.
            self.failure = self.state()
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def compose(self, *arguments, stdin=""):
        """Run `docker compose`, which has to succeed; return what it printed."""
        result = self.run("docker", "compose", *arguments, stdin=stdin)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def volumes(self, project):
        """Return the volumes of a project, with the time at which each was made."""
        listed = self.run(
            "docker", "volume", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={project}"
        )
        names = listed.stdout.split()
        return self.run("docker", "volume", "inspect", "--format", "{{.Name}} {{.CreatedAt}}", *names).stdout.split(
            "\n"
        )

    def secret(self, service, name):
        """Return the secret that a running service has in its file of that name."""
        return self.compose("exec", "--no-TTY", service, "cat", f"/secrets/{name}").removesuffix("\n")

    def container(self, service):
        """Return the id of the container of a service."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def inspect(self, service):
        """Return what Docker knows about the container of a service."""
        return json.loads(self.run("docker", "inspect", self.container(service)).stdout)[0]

    def base(self, service):
        """Return the name of the base image that the container of a service was built on."""
        return self.inspect(service)["Config"]["Labels"]["org.opencontainers.image.base.name"]

    def older_postgres(self, version):
        """Return the name of the base image of another major version of Postgres, after building it if it is ours."""
        image = upgrade.older(self.base("postgres"), version)
        if image == images.OLD_POSTGRES.image and self.run("docker", "image", "inspect", image).returncode:
            built = self.run("bare-machine/build-bases", images.OLD_POSTGRES.name)
            assert built.returncode == 0, built.stderr
        return image

    def host(self, service):
        """Return the container of a service as testinfra sees it."""
        return testinfra.get_host(f"docker://{self.container(service)}")

    def in_container(self, service, unit, *arguments, stdin=""):
        """Run a program of tests/inside in the container of a service; return the JSON in its last line."""
        program = (ROOT / "tests" / "inside" / unit).read_text()
        printed = self.compose("exec", "--no-TTY", service, "python", "-c", program, *arguments, stdin=stdin)
        return json.loads(printed.splitlines()[-1])

    def in_notebook(self, unit, *arguments, stdin=""):
        """Run a program of tests/inside in the notebook container, as in_container does."""
        return self.in_container("notebook", unit, *arguments, stdin=stdin)

    def psql(self, role, database, sql):
        """Run SQL in the postgres container; return the rows, their columns separated by `|`."""
        return self.succeed("psql", "--role", role, "--database", database, "--command", sql)

    def connect(self, role, database, password=None):
        """Connect to the database from this machine, through the published port."""
        password = password or PASSWORDS[role]
        port = self.ports["POSTGRES_PORT"]
        return psycopg2.connect(host="127.0.0.1", port=port, user=role, dbname=database, password=password)

    def sql(self, role, database, statement):
        """Run a statement as a role, from this machine; return the rows, or None where it has none.

        The superuser is let in inside the container alone; the rows of one SELECT are what JSON makes of them, all
        others are lines of text.
        """
        if role == "postgres":
            rows = (
                f"SELECT json_agg(row) FROM ({statement}) AS row"
                if statement.lstrip().startswith("SELECT") and ";" not in statement
                else statement
            )
            printed = self.compose(
                *("exec", "--no-TTY", "postgres", "psql", "-qtA", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", rows)
            )
            if rows == statement:
                return [(line,) for line in printed.splitlines()] or None
            return [tuple(row.values()) for row in json.loads(printed.strip() or "[]")]
        with closing(self.connect(role, database)) as connection:
            # Some statements cannot run inside a transaction.
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def url(self, service, path):
        """Return the address of a page of a service on this machine."""
        return f"http://127.0.0.1:{self.ports[f'{service.upper()}_PORT']}{path}"

    def get(self, service, path, timeout=30, **headers):
        """Ask a service for a page, from this machine; return (status, body). Names of headers are written with `_`."""
        return self.request("GET", service, path, timeout=timeout, **headers)

    def request(self, method, service, path, body=None, timeout=30, **headers):
        """Send a request to a service, from this machine; return (status, body). The timeout is in seconds.

        A body of bytes is sent as it is, another one as JSON.
        """
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url(service, path), data=data, headers=names, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def post(self, path, body, method="POST", **headers):
        """Send JSON to MLflow; return (status, answer), with an empty answer where it is no JSON."""
        status, answer = self.request(
            method, "mlflow", path, body=body, **{"Content_Type": "application/json"} | headers
        )
        try:
            return status, json.loads(answer)
        except ValueError:
            return status, {}

    def answered(self, method, service, path, **headers):
        """Send a request to a service, from this machine; return (status, headers), those with small letters."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[f"{service.upper()}_PORT"], timeout=30)
        with closing(connection):
            connection.request(method, path, headers=names)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}

    def headers(self, service, path):
        """Return the headers of a page of a service."""
        with urllib.request.urlopen(self.url(service, path), timeout=30) as answer:
            return answer.headers

    def health(self, service):
        """Return the health of a service and what its last check printed."""
        health = self.inspect(service)["State"]["Health"]
        return health["Status"], health["Log"][-1]["Output"] if health["Log"] else ""

    def state(self):
        """Return versions, the configuration without secrets, state and log of each service; empty if it is down."""
        containers = self.run("docker", "compose", "ps", "--all").stdout
        if containers.count("\n") < 2:
            return ""
        asked = (("docker", "version"), ("docker", "compose", "version"), ("docker", "compose", "config"))
        logs = ("docker", "compose", "logs", "--no-color", "--tail", LOG_LINES)
        said = [self.run(*command).stdout for command in asked] + [containers, self.run(*logs).stdout]
        return without_secrets("\n".join(said))

    def remains(self):
        """Return the names of everything that Docker has of this project."""
        label = f"label=com.docker.compose.project={self.project}"
        listings = (
            ("ps", "--all", "--format", "{{.Names}}"),
            ("volume", "ls", "--format", "{{.Name}}"),
            ("network", "ls", "--format", "{{.Name}}"),
        )
        names = [self.run("docker", *listing, "--filter", label).stdout.split() for listing in listings]
        images = self.run("docker", "image", "ls", "--format", "{{.Repository}}", f"{self.project}-*").stdout.split()
        # Docker lists two names of one image now in this order, now in that.
        return sorted(sum(names, images))
