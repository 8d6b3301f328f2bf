"""postgres-docker/make-secrets, run by the shell of this machine on temporary folders."""

import os
import re
import signal
import subprocess
import time

import pytest

from tests.support.layers import ROOT

PROGRAM = (ROOT / "postgres-docker" / "make-secrets").read_text()
NAMES = ("JUPYTER_TOKEN", "MLFLOW_DB_PASSWORD", "ANALYST_DB_PASSWORD")
FILES = dict(zip(NAMES, ("notebook/token", "postgres/mlflow", "postgres/analyst"), strict=True))
AWKWARD = {
    "every kind of character": """a b'c"d$e${f}@g/h%i%20:j\\k#l;é`m`*[]=""",
    "spaces around it": "  a  ",
    "200 umlauts": "äöüß" * 50,
    "like an option": "-n",
}
# The interval between the moments at which a run is killed, in seconds; a whole run takes about 20 ms.
STEP = 0.001


class Secrets:
    """The three volumes, and the program that writes them."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("notebook", "mlflow", "postgres"):
            (folder / name).mkdir()
        self.program = folder / "make-secrets"
        self.program.write_text(PROGRAM.replace("folder=/secrets-of\n", f"folder='{folder}'\n"))

    def start(self, *arguments, **settings):
        command = ["sh", str(self.program), *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env={"PATH": os.environ["PATH"]} | settings, text=True, **pipes)

    def run(self, *arguments, **settings):
        """Run it successfully; return its output."""
        running = self.start(*arguments, **settings)
        printed, errors = running.communicate()
        assert (running.returncode, errors) == (0, "")
        return printed

    def refused(self, **settings):
        """Run it and expect a failure; return its one line."""
        running = self.start(**settings)
        printed, errors = running.communicate()
        assert (running.returncode, printed) == (1, "")
        assert errors.startswith("FAIL: ")
        assert errors.count("\n") == 1
        return errors

    def read(self, name):
        """Return the text of a file, or None."""
        path = self.folder / name
        return path.read_text() if path.exists() else None

    def all(self):
        """Return the text of every file, by name."""
        files = (path for path in self.folder.glob("*/*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_text() for path in files}

    def password(self, service):
        """Return the password that libpq finds for a service."""
        return re.fullmatch(r"\[toolbox\]\npassword=(.*)\n", self.read(f"{service}/pg_service.conf"))[1]


@pytest.fixture
def secrets(tmp_path):
    return Secrets(tmp_path)


def test_each_secret_is_random_and_in_the_file_that_its_service_reads(secrets):
    printed = secrets.run()
    made = [secrets.read(file) for file in FILES.values()]
    assert all(re.fullmatch(r"[\w-]{24}\n", value) for value in made)
    assert len(set(made)) == 3
    assert secrets.password("mlflow") == secrets.read("postgres/mlflow").strip()
    assert secrets.password("notebook") == secrets.read("postgres/analyst").strip()
    assert secrets.all().keys() == {*FILES.values(), "mlflow/pg_service.conf", "notebook/pg_service.conf"} | {
        "notebook/token-is-generated"
    }
    assert [value for value in made if value.strip() in printed] == []


def test_existing_secrets_are_kept(secrets):
    secrets.run()
    before = secrets.all()
    assert secrets.run() == ""
    assert secrets.all() == before


def test_new_secrets_are_generated_on_request(secrets):
    secrets.run()
    before = secrets.all()
    assert secrets.run("--new").count("Generated a new") == 3
    after = secrets.all()
    assert after.keys() == before.keys()
    assert [name for name in after if after[name] == before[name]] == ["notebook/token-is-generated"]


@pytest.mark.parametrize("value", AWKWARD.values(), ids=AWKWARD)
def test_a_secret_that_is_set_is_written_and_kept_when_the_setting_is_removed(secrets, value):
    secrets.run()
    for settings in (dict.fromkeys(NAMES, value), {}, dict.fromkeys(NAMES, " \t")):
        assert secrets.run(**settings) == ""
        assert [secrets.read(file) for file in FILES.values()] == [f"{value}\n"] * 3
        # libpq strips a space at the end of a line, and treats U+00A0 as one.
        assert secrets.password("notebook") == secrets.password("mlflow") == re.sub(" $", "\u00a0", value)
        assert secrets.read("notebook/token-is-generated") is None


def test_a_new_token_in_place_of_one_that_was_set_is_marked_as_generated(secrets):
    secrets.run(JUPYTER_TOKEN="mine")
    secrets.run("--new")
    assert secrets.read("notebook/token") != "mine\n"
    assert secrets.read("notebook/token-is-generated") == ""


@pytest.mark.parametrize("value", ["a\nb", "a\n", "a\rb", "a\tb", "\x7f"], ids=repr)
@pytest.mark.parametrize("name", NAMES)
def test_a_secret_with_a_control_character_is_refused_with_nothing_changed(secrets, name, value):
    assert f"{name} has a line break or another control character" in secrets.refused(**{name: value})
    assert secrets.all() == {}


def test_a_secret_that_is_too_long_for_libpq_is_refused(secrets):
    assert "ANALYST_DB_PASSWORD has more than" in secrets.refused(ANALYST_DB_PASSWORD="x" * 1001)
    secrets.run(ANALYST_DB_PASSWORD="x" * 1000)


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_from_a_file_is_its_text_without_the_final_newline(secrets, tmp_path, name):
    (tmp_path / "mine").write_text("of a file é \n")
    secrets.run(**{f"{name}_FILE": str(tmp_path / "mine")})
    assert secrets.read(FILES[name]) == "of a file é \n"
    (tmp_path / "mine").write_text("another")
    secrets.run(**{f"{name}_FILE": str(tmp_path / "mine")})
    assert secrets.read(FILES[name]) == "another\n"


def test_a_secret_from_a_blank_file_is_not_set(secrets, tmp_path):
    (tmp_path / "mine").write_text(" \n\n")
    secrets.run(JUPYTER_TOKEN_FILE=str(tmp_path / "mine"))
    assert re.fullmatch(r"[\w-]{24}\n", secrets.read("notebook/token"))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "cannot read"),
        (b"a\0b", "has a NUL character"),
        (b"a\nb", "line break"),
        (b"a\r\n", "control character"),
    ],
    ids=["missing", "NUL", "two lines", "Windows"],
)
def test_an_unsuitable_file_is_refused_with_nothing_changed(secrets, tmp_path, content, line):
    if content is not None:
        (tmp_path / "mine").write_bytes(content)
    assert line in secrets.refused(MLFLOW_DB_PASSWORD_FILE=str(tmp_path / "mine"), JUPYTER_TOKEN="t")
    assert secrets.all() == {}
    assert "cannot read" in secrets.refused(MLFLOW_DB_PASSWORD_FILE=str(tmp_path))


def test_a_value_and_a_file_that_differ_are_refused(secrets, tmp_path):
    (tmp_path / "mine").write_text("one\n")
    secrets.run(JUPYTER_TOKEN="one", JUPYTER_TOKEN_FILE=str(tmp_path / "mine"))
    assert "are both set" in secrets.refused(JUPYTER_TOKEN="two", JUPYTER_TOKEN_FILE=str(tmp_path / "mine"))


def test_secrets_that_a_power_cut_left_empty_are_generated_again(secrets):
    secrets.run()
    for file in FILES.values():
        (secrets.folder / file).write_text("")
    assert secrets.run().count("Generated a new") == 3
    assert secrets.password("mlflow") == secrets.read("postgres/mlflow").strip()


def test_a_lost_volume_gets_the_secrets_of_the_others(secrets):
    secrets.run()
    before = secrets.all()
    (secrets.folder / "mlflow" / "pg_service.conf").unlink()
    assert secrets.run() == ""
    assert secrets.all() == before


@pytest.mark.parametrize("arguments", [(), ("--new",)], ids=["first", "new"])
def test_a_run_killed_at_any_moment_leaves_no_partial_file_and_the_next_run_completes_it(secrets, arguments):
    delay, killed = 0, 0
    while True:
        if not arguments:
            for path in secrets.folder.glob("*/*"):
                path.unlink()
        running = secrets.start(*arguments)
        time.sleep(delay)
        running.kill()
        running.communicate()
        for file in FILES.values():
            assert secrets.read(file) is None or re.fullmatch(r"[\w-]{24}\n", secrets.read(file))
        secrets.run()
        assert secrets.password("mlflow") == secrets.read("postgres/mlflow").strip()
        assert secrets.password("notebook") == secrets.read("postgres/analyst").strip()
        if running.returncode != -signal.SIGKILL:
            break
        delay, killed = delay + STEP, killed + 1
    assert killed > 5


def test_without_randomness_no_secret_is_generated(secrets, tmp_path):
    secrets.run()
    before = secrets.all()
    (tmp_path / "head").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "head").chmod(0o755)
    running = secrets.start("--new", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert running.communicate()[1] == "FAIL: there is no randomness: see the reason above.\n"
    assert running.returncode == 1
    assert secrets.all() == before


def test_concurrent_runs_write_consistent_secrets(secrets):
    running = [secrets.start("--new") for _ in range(8)]
    for process in running:
        assert process.communicate()[1] == ""
        assert process.returncode == 0
    assert secrets.password("mlflow") == secrets.read("postgres/mlflow").strip()
    assert secrets.password("notebook") == secrets.read("postgres/analyst").strip()
