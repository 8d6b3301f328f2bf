"""toolbox.follow: what Docker prints, as steps that a person can follow."""

import pytest

from toolbox import follow
from toolbox.commands import Lines


class Steps:
    """Steps that are noted in the place of being shown."""

    def __init__(self):
        self.told = []

    def at(self, name, text):
        self.told.append((name, text))

    def ended(self, name, text, well=True):
        self.told.append((name, text, well))

    def all_ended(self, text):
        self.told.append(("all", text))


def told(follower, lines, *arguments):
    """Return what the steps are told of lines that Docker prints."""
    steps = Steps()
    receive = follower(steps, *arguments)
    for line in lines.strip("\n").splitlines():
        receive(line)
    return steps.told


BUILD = """
#1 [mlflow internal] load build definition from Dockerfile
#1 transferring dockerfile: 157B done
#3 [internal] load metadata for localhost/data-toolbox/python:3.13
#7 [mlflow packages 2/5] RUN --mount=type=cache,target=/var/cache/pip     pip install --no-deps --require-hashes
#7 1.137 Collecting mlflow
#7 DONE 1.2s
#8 [notebook 3/3] COPY jupyter_lab_config.py /etc/jupyter/
#8 CACHED
#9 [mlflow] exporting to image
#9 DONE 0.0s
"""


def test_a_build_tells_the_step_of_each_image():
    assert told(follow.build, BUILD) == [
        ("image mlflow", "reading its Dockerfile"),
        ("image mlflow", "2 of 5: RUN --mount=type=cache,target=/var/cache/pip pip install --n..."),
        ("image notebook", "3 of 3: COPY jupyter_lab_config.py /etc/jupyter/"),
        ("image mlflow", "ready", True),
    ]


BASES = """
#1 [1/2] this is before any base
building the base image debian:trixie from Debian packages ...
I: running apt-get update...
building the base image python from Debian packages ...
#5 [2/4] RUN apt-get update
"""


def test_the_making_of_bases_tells_which_is_made():
    assert told(follow.bases, BASES) == [
        ("all", "ready"),
        ("base debian:trixie", "from Debian packages"),
        ("all", "ready"),
        ("base python", "from Debian packages"),
        ("base python", "2 of 4: RUN apt-get update"),
    ]


START = """
 Network box-1_default  Created
 Container box-1-postgres-1  Creating
 Container box-1-postgres-1  Started
 Container box-1-migrate-1  Started
 Container box-1-migrate-1  Exited
 Container box-1-postgres-1  Healthy
 Container box-1-mlflow-1  Error
 Container box-1-notebook-1  Running
 Container box-1-other-notebook-1  Started
 Container box-1-notebook-1  Exited
dependency failed to start: container box-1-mlflow-1 is unhealthy
"""


def test_a_start_tells_how_each_service_comes_along():
    assert told(follow.start, START, "box-1") == [
        ("postgres", "being made"),
        ("postgres", "waiting until it is healthy"),
        ("migrate", "looking at MLflow's tables"),
        ("migrate", "done", True),
        ("postgres", "healthy", True),
        ("mlflow", "failed", False),
    ]


PULL = """
trixie: Pulling from library/python
0123456789ab: Pulling fs layer
ba9876543210: Already exists
0123456789ab: Download complete
0123456789ab: Pull complete
Digest: sha256:00
"""


def test_a_pull_tells_how_many_layers_are_there():
    assert [text for _, text in told(follow.pull, PULL, "python:3.13")] == [
        "0 of 1 layers",
        "1 of 2 layers",
        "1 of 2 layers",
        "2 of 2 layers",
    ]


@pytest.mark.parametrize(
    "pieces", [["one\ntwo\nth", "ree\n"], ["one\r", "\ntwo\r\nthree\n", "rest"], ["one\ntwo\nthree\n"]]
)
def test_lines_are_passed_on_when_they_are_whole(pieces):
    lines = []
    stream = Lines(lines.append)
    for piece in pieces:
        stream.write(piece)
        stream.flush()
    assert lines == ["one", "two", "three"]
