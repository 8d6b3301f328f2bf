"""Run the programs given as JSON, {name: text}, each in an empty folder; print how each ended as JSON."""

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

AT_A_TIME = 3
LIMIT_SECONDS = 480


def ended(name, text):
    """Return the exit status of a program, its seconds, and what it printed."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        program = Path(folder, name)
        program.write_text(text)
        begun = time.monotonic()
        # `timeout` ends the processes that the program started as well.
        command = ["timeout", str(LIMIT_SECONDS), sys.executable, name]
        result = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return result.returncode, time.monotonic() - begun, result.stdout.decode(errors="replace")


programs = json.load(sys.stdin)
with ThreadPoolExecutor(AT_A_TIME) as pool:
    print(json.dumps(dict(zip(programs, pool.map(ended, programs, programs.values()), strict=True))))
