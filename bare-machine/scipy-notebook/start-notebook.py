#!/usr/bin/env python
"""Start Jupyter with the arguments of the container's command, after those in NOTEBOOK_ARGS."""

import os
import shlex
import sys

command = [
    "jupyter",
    os.environ.get("DOCKER_STACKS_JUPYTER_CMD", "lab"),
    *shlex.split(os.environ.get("NOTEBOOK_ARGS", "")),
    *sys.argv[1:],
]
os.execvp(command[0], command)
