"""Run programs given as JSON, {name: text}, each in an empty folder; print their results as JSON."""

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CONCURRENT = 3
TIMEOUT_SECONDS = 480


def run(name, text):
    """Run a program; return its exit status, seconds, and output."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        program = Path(folder, name)
        program.write_text(text)
        begin = time.monotonic()
        # `timeout` also ends the processes that the program started.
        command = ["timeout", str(TIMEOUT_SECONDS), sys.executable, name]
        result = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return result.returncode, time.monotonic() - begin, result.stdout.decode(errors="replace")


programs = json.load(sys.stdin)
with ThreadPoolExecutor(CONCURRENT) as pool:
    print(json.dumps(dict(zip(programs, pool.map(run, programs, programs.values()), strict=True))))
