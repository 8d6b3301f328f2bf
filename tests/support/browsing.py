"""A browser in a container of its own on the network of a toolbox, for what people see."""

import json
import secrets
from pathlib import Path

from toolbox.errors import one_line

# The ports in the containers.
SERVERS = {"notebook": 8888, "mlflow": 5000}
# Enough to know what a page says; it begins with its menus.
SHOWN_CHARACTERS = 600


def label(toolbox):
    """Return the option of docker that has what it makes counted as the toolbox's."""
    return f"--label=com.docker.compose.project={toolbox.project}"


def image(toolbox):
    """Return the name of the browser's image for a toolbox."""
    return f"{toolbox.project}-browser"


def build(toolbox):
    """Build the image, on the same base as MLflow's."""
    base = f"--build-arg=BASE_IMAGE={toolbox.base('mlflow')}"
    folder = str(Path(__file__).parents[1] / "inside" / "browser")
    result = toolbox.run("docker", "build", base, label(toolbox), f"--tag={image(toolbox)}", folder)
    assert result.returncode == 0, result.stderr


def remove(toolbox):
    """Delete the image."""
    toolbox.run("docker", "image", "rm", "--force", image(toolbox))


def visit(toolbox, folder, program, network=None, **told):
    """Run a program of tests/inside/browser on the pages of a toolbox; return what it saw. Pictures go into `folder`.

    It runs on the network of the toolbox, or on another one.

    Raises AssertionError, with what failed and what the page showed, when something does not show.
    """
    servers = {} if network else {toolbox.url(service, ""): f"{service}:{port}" for service, port in SERVERS.items()}
    container = f"{toolbox.project}-browser-{secrets.token_hex(4)}"
    try:
        result = toolbox.run(
            *("docker", "run", "--interactive", f"--name={container}", label(toolbox)),
            # Chromium's processes share what they draw, and it leaves some behind when they end.
            *("--init", "--shm-size=1g", f"--network={network or f'{toolbox.project}_default'}"),
            *(image(toolbox), "python", f"/opt/browser/{program}"),
            stdin=json.dumps({"servers": servers} | told),
        )
        toolbox.run("docker", "cp", f"{container}:/home/browser/pictures/.", str(folder))
    finally:
        toolbox.run("docker", "rm", "--force", container)
    assert result.stdout, result.stderr
    seen = json.loads(result.stdout.splitlines()[-1])
    if "failed" in seen:
        text = one_line(seen["text"])[-SHOWN_CHARACTERS:]
        noticed = f"complaints: {seen['complaints']}; pictures: {folder}; the page ends with: {text}"
        raise AssertionError(f"{program}: {seen['failed']}; {noticed}")
    return seen
