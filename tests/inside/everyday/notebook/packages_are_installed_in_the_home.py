import subprocess
import sys

pip = [sys.executable, "-m", "pip"]
installed = subprocess.run([*pip, "install", "--user", "emoji"], capture_output=True, text=True, check=False)
assert installed.returncode == 0, installed.stderr
program = "import emoji; print(emoji.__file__, emoji.emojize(':tada:'))"
result = subprocess.run([sys.executable, "-c", program], cwd="/", capture_output=True, text=True, check=False)
assert result.stdout.startswith("/home/jovyan/"), result.stderr
removed = subprocess.run([*pip, "uninstall", "--yes", "emoji"], capture_output=True, text=True, check=False)
assert removed.returncode == 0, removed.stderr
