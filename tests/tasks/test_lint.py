""".pre-commit-config.yaml: the checks of `./run lint`."""

import json
import os
import re
import shutil
import subprocess
import sys

from tests.support.layers import ROOT

CELL = {"cell_type": "code", "execution_count": 1, "id": "a", "metadata": {}, "source": []}
OUTPUT = {"name": "stdout", "output_type": "stream", "text": ["1\n"]}
# A problem for each hook.
WRONG = {
    "a.py": "import os\nx = {  }\n",
    "program": "#!/bin/sh\ncd $x\n",
    "a/Dockerfile": "FROM debian\n",
    "a.ipynb": json.dumps(
        {"cells": [CELL | {"outputs": [OUTPUT]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    ),
    "docker-compose.yml": "services: 1\n",
    ".github/workflows/a.yml": "jobs: 1\n",
    ".github/dependabot.yml": "version: 1\n",
}


def test_each_hook_finds_its_problem_without_a_network(tmp_path):
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for name in (".pre-commit-config.yaml", ".env.example"):
        shutil.copy(ROOT / name, tmp_path)
    for name, text in WRONG.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "program").chmod(0o755)
    for command in (["git", "init"], ["git", "add", "--", ".env.example", *WRONG]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    offline = {"PRE_COMMIT_HOME": str(tmp_path / "cache"), "HTTPS_PROXY": "http://127.0.0.1:1"}
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files"]
    ran = subprocess.run(command, cwd=tmp_path, env=os.environ | offline, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    hooks = re.findall(r"- id: (\S+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert re.findall(r"^- hook id: (\S+)", ran.stdout, flags=re.M) == hooks
