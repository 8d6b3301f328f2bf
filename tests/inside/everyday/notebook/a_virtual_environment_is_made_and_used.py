import subprocess
import sys

subprocess.run([sys.executable, "-m", "venv", "own env"], check=True)
subprocess.run(["own env/bin/pip", "install", "--quiet", "emoji"], check=True)
program = "import emoji, sys; print(sys.prefix, emoji.emojize(':tada:'))"
asked = subprocess.run(["own env/bin/python", "-c", program], capture_output=True, text=True, check=False)
assert asked.returncode == 0, asked.stderr
assert "own env" in asked.stdout
