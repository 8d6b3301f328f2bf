"""Start a server, request a page until it responds, and stop it. Arguments: the URL of the page, and the command."""

import os
import signal
import subprocess
import sys
import time
import urllib.request

TIMEOUT_SECONDS = 120
address, *command = sys.argv[1:]
end = time.monotonic() + TIMEOUT_SECONDS
# A process group, so that its workers are stopped too.
with subprocess.Popen(command, stdout=sys.stderr, start_new_session=True) as server:
    try:
        while True:
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                if time.monotonic() > end or server.poll() is not None:
                    raise
                time.sleep(0.1)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
print("true")
