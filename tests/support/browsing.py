"""A browser in a separate container on the network of a toolbox, to test what people see."""

import json
import secrets
from pathlib import Path

from toolbox.errors import one_line

# The ports in the containers.
SERVERS = {"notebook": 8888, "mlflow": 5000}
# Of the end of a page; it begins with its menus.
SHOWN_CHARACTERS = 600


def label(toolbox):
    """Return the option of docker that makes a container or image part of the toolbox's project."""
    return f"--label=com.docker.compose.project={toolbox.project}"


def image(toolbox):
    """Return the name of the browser image for a toolbox."""
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


def visit(toolbox, folder, program, network=None, **options):
    """Run a program of tests/inside/browser with its options; return its result, and save screenshots in `folder`.

    It runs on the network of the toolbox, or on another one.

    Raises AssertionError, with the failed step and the text of the page, if something does not appear.
    """
    servers = {} if network else {toolbox.url(service, ""): f"{service}:{port}" for service, port in SERVERS.items()}
    container = f"{toolbox.project}-browser-{secrets.token_hex(4)}"
    try:
        result = toolbox.run(
            *("docker", "run", "--interactive", f"--name={container}", label(toolbox)),
            # Chromium's processes share memory, and leave orphans behind.
            *("--init", "--shm-size=1g", f"--network={network or f'{toolbox.project}_default'}"),
            *(image(toolbox), "python", f"/opt/browser/{program}"),
            stdin=json.dumps({"servers": servers} | options),
        )
        toolbox.run("docker", "cp", f"{container}:/home/browser/pictures/.", str(folder))
    finally:
        toolbox.run("docker", "rm", "--force", container)
    assert result.stdout, result.stderr
    seen = json.loads(result.stdout.splitlines()[-1])
    if "failed" in seen:
        text = one_line(seen["text"])[-SHOWN_CHARACTERS:]
        details = f"complaints: {seen['complaints']}; screenshots: {folder}; the page ends with: {text}"
        raise AssertionError(f"{program}: {seen['failed']}; {details}")
    return seen
