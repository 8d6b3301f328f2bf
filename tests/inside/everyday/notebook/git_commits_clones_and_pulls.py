import subprocess
from pathlib import Path


def git(*arguments, folder="project"):
    result = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


Path("project").mkdir()
git("init", "--initial-branch=main")
git("config", "user.name", "Jörg")
git("config", "user.email", "joerg@example.org")
Path("project/größe.py").write_text("print(1)\n")
git("add", ".")
git("commit", "-m", "Erste Größe")
git("clone", "project", "clone", folder=".")
Path("project/größe.py").write_text("print(2)\n")
git("commit", "-am", "second")
git("pull", folder="clone")
assert git("log", "--format=%an: %s", folder="clone").splitlines() == ["Jörg: second", "Jörg: Erste Größe"]
