"""The repository: versions in one place, pinned packages, line endings that containers can read."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.layers import ROOT
from toolbox import dev

NAME = r"[a-z0-9][a-z0-9.-]*"


def git(*arguments):
    """Run git in the repository, whoever owns it, and return the lines that it prints."""
    command = ["git", "-c", "safe.directory=*", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


LOCKS = git("ls-files", "requirements.txt", "**/requirements.txt")


def locked(lock):
    """Return the packages of a requirements.txt with their versions."""
    return dict(re.findall(rf"^({NAME})==([^\s;]+)", (ROOT / lock).read_text(), flags=re.M))


# --- Versions ---


@pytest.mark.parametrize("folder", ["ml-flow-docker", "jupyter-notebook-docker"])
def test_server_and_client_have_the_requested_version_of_mlflow(folder):
    requested = re.search(r"^mlflow==(\S+)$", (ROOT / "ml-flow-docker" / "requirements.in").read_text(), flags=re.M)[1]
    packages = locked(f"{folder}/requirements.txt")
    assert {packages[name] for name in ("mlflow", "mlflow-skinny", "mlflow-tracing")} == {requested}


def test_the_mlflow_version_is_written_once():
    older = "tests/support/older-mlflow/"
    names = [name for name in git("ls-files") if not name.startswith(older) and not name.endswith("requirements.txt")]
    written = [name for name in names if (ROOT / name).is_file()]
    found = [name for name in written if re.search(rb"mlflow(\[\w+\])?==\d", (ROOT / name).read_bytes())]
    assert found == ["ml-flow-docker/requirements.in"]


def test_common_packages_of_client_and_server_have_the_same_version():
    server, client = locked("ml-flow-docker/requirements.txt"), locked("jupyter-notebook-docker/requirements.txt")
    assert "psycopg2-binary" in server.keys() & client.keys()
    assert {name: version for name, version in client.items() if server.get(name, version) != version} == {}


# --- Locks ---


def test_every_list_of_packages_is_locked():
    lists = git("ls-files", "requirements.in", "**/requirements.in")
    assert set(dev.LOCKED) == {str(Path(name).parent) for name in lists}


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_source_of_packages(lock):
    """Users have their own mirrors, or none."""
    assert re.findall(r"\w+://\S+|--(?:extra-)?index\S+|--find-links.*", (ROOT / lock).read_text()) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_every_package_of_its_list(lock):
    listed = (ROOT / lock).with_suffix(".in").read_text()
    requested = re.findall(rf"^{NAME}", listed, flags=re.M)
    assert requested
    assert [name for name in requested if name not in locked(lock)] == []


# --- Files ---


def test_every_file_has_line_endings_that_a_container_can_read():
    # Each line is like "i/lf    w/lf    attr/text=auto eol=lf   \trun"
    lines = git("ls-files", "--eol")
    assert lines
    assert [line for line in lines if re.search(r"^i/(crlf|mixed)|\sw/(crlf|mixed)", line)] == []


@pytest.mark.parametrize("name", [".env", ".env.part", ".env.next", ".env.old", "backups/made.zip"])
def test_git_ignores_files_with_secrets(name):
    assert git("check-ignore", name) == [name]


def test_no_settings_but_the_example_were_ever_in_git():
    assert set(git("log", "--all", "--format=", "--name-only", "--", ".env*", "backups")) == {".env.example"}


def test_the_example_has_no_secret():
    example = (ROOT / ".env.example").read_text()
    # Nothing is set, and the defaults of secrets are empty.
    assert re.findall(r"^\w+=", example, flags=re.M) == []
    assert re.findall(r"^#\w*(?:PASSWORD|TOKEN|SECRET|KEY)\w*=.+", example, flags=re.M) == []
