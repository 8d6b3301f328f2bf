"""jupyter-notebook-docker/missing.py: what of the lock is not in the base image yet."""

import subprocess
import sys

import pytest

from tests.support.layers import ROOT, program

LOCK = ROOT / "jupyter-notebook-docker" / "requirements.txt"
LINES = """\
# What invoke lock writes above the packages.
absent-one==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via mlflow
there==2.0 \\
    --hash=sha256:ba
    # via mlflow
absent.two==3.0 ; sys_platform == 'linux' \\
    --hash=sha256:ca
""".splitlines(keepends=True)


@pytest.fixture
def missing():
    return program("jupyter-notebook-docker/missing.py")


def test_entries_that_are_missing_are_kept_whole_and_the_others_left_out(missing, monkeypatch):
    monkeypatch.setattr(missing, "is_installed", lambda name: name == "there")
    assert list(missing.missing(LINES)) == LINES[1:5] + LINES[8:]


def test_on_an_empty_base_all_of_the_lock_is_missing(missing, monkeypatch):
    monkeypatch.setattr(missing, "is_installed", lambda name: False)
    lines = LOCK.read_text().splitlines(keepends=True)
    entries = [line for line in lines if "==" in line]
    assert len(entries) > 10
    assert [line for line in missing.missing(lines) if "==" in line] == entries


def test_a_package_is_known_by_every_spelling_of_its_name(missing):
    assert missing.is_installed("pytest-testinfra")
    assert missing.is_installed("Pytest_Testinfra")
    assert not missing.is_installed("pytest-testinfra-x")


def test_the_program_prints_what_pip_can_read(tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text("pytest==0.0 \\\n    --hash=sha256:aa\nno-such-package==1.0 \\\n    --hash=sha256:bb\n")
    command = [sys.executable, ROOT / "jupyter-notebook-docker" / "missing.py", lock]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == "no-such-package==1.0 \\\n    --hash=sha256:bb\n"
