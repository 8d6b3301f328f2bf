"""jupyter-notebook-docker/missing.py: which packages of the lock the base image lacks."""

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


def test_entries_of_missing_packages_are_kept_complete_and_the_others_left_out(missing, monkeypatch):
    monkeypatch.setattr(missing, "is_installed", lambda name: name == "there")
    assert list(missing.missing(LINES)) == LINES[1:5] + LINES[8:]


def test_on_an_empty_base_every_package_of_the_lock_is_missing(missing, monkeypatch):
    monkeypatch.setattr(missing, "is_installed", lambda name: False)
    lines = LOCK.read_text().splitlines(keepends=True)
    entries = [line for line in lines if "==" in line]
    assert len(entries) > 10
    assert [line for line in missing.missing(lines) if "==" in line] == entries


def test_a_package_is_found_by_every_spelling_of_its_name(missing):
    assert missing.is_installed("pytest-testinfra")
    assert missing.is_installed("Pytest_Testinfra")
    assert not missing.is_installed("pytest-testinfra-x")


def test_the_output_is_a_requirements_file_for_pip(tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text("pytest==0.0 \\\n    --hash=sha256:aa\nno-such-package==1.0 \\\n    --hash=sha256:bb\n")
    command = [sys.executable, ROOT / "jupyter-notebook-docker" / "missing.py", lock]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == "no-such-package==1.0 \\\n    --hash=sha256:bb\n"
