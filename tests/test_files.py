"""toolbox.files: which files the linters look at."""

import pytest
from layers import ROOT

from toolbox import files


@pytest.mark.parametrize(
    ("first_line", "is_shell"),
    [
        (b"#!/bin/sh", True),
        (b"#!/bin/sh -eu", True),
        (b"#! /usr/bin/env bash", True),
        (b"#!/usr/bin/env -S bash -e", True),
        (b"#!/usr/bin/env python3", False),
        (b"#!", False),
        (b"sh", False),
        (b"", False),
        (b"\x7fELF\xff", False),
    ],
)
def test_a_shell_program_is_known_by_its_first_line(tmp_path, first_line, is_shell):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "program").write_bytes(first_line + b"\n")
    assert files.shell_programs(tmp_path) == (["sub/program"] if is_shell else [])


def test_what_is_not_ours_is_not_linted(tmp_path):
    for folder in (".git", ".venv", "ours"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Dockerfile").touch()
        (tmp_path / folder / "program").write_text("#!/bin/sh\n")
    assert files.dockerfiles(tmp_path) == ["ours/Dockerfile"]
    assert files.shell_programs(tmp_path) == ["ours/program"]


def test_the_programs_and_dockerfiles_of_the_repository_are_found():
    assert {".ci/run", "run", "bare-machine/build-bases", "bare-machine/install-engine"} <= set(
        files.shell_programs(ROOT)
    )
    assert {f"{kind}-docker/Dockerfile" for kind in ("jupyter-notebook", "ml-flow", "postgres")} <= set(
        files.dockerfiles(ROOT)
    )


def test_the_workflows_of_the_repository_are_found():
    assert ".github/workflows/ci.yml" in files.workflows(ROOT)


def test_notebooks_are_found_in_every_folder(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.ipynb", "sub/a.ipynb", "sub/a.py"):
        (tmp_path / name).touch()
    assert files.notebooks(tmp_path) == ["b.ipynb", "sub/a.ipynb"]
