import subprocess
import sys

subprocess.run([sys.executable, "-m", "venv", "own env"], check=True)
subprocess.run(["own env/bin/pip", "install", "--quiet", "emoji"], check=True)
program = "import emoji, sys; print(sys.prefix, emoji.emojize(':tada:'))"
result = subprocess.run(["own env/bin/python", "-c", program], capture_output=True, text=True, check=False)
assert result.returncode == 0, result.stderr
assert "own env" in result.stdout
