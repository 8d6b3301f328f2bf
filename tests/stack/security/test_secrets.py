"""Where a secret could stay behind: images and their history, command lines, settings of others, logs."""

import contextlib
import gzip
import io
import json
import subprocess
import tarfile
import zlib
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.copies import JUPYTER_TOKEN, PASSWORDS, TOKEN_HEADER
from toolbox.compose import IN_ORDER, SERVICES

pytestmark = pytest.mark.stack

# A part of every password, and one of the token, that looks the same in JSON, in a shell's quotes and in .env.
TRACES = ("@g/h%i%20:j", "?#/+=%20")
CHUNK_BYTES = 1 << 20
GZIP = b"\x1f\x8b"


def left(text):
    """Return the traces of secrets that are in a text."""
    return [trace for trace in TRACES if trace in text]


def chunks(file):
    """Yield the contents of a file, unpacked if it is compressed."""
    first = file.read(CHUNK_BYTES)
    unpack = zlib.decompressobj(wbits=31).decompress if first.startswith(GZIP) else bytes
    while first:
        yield unpack(first)
        first = file.read(CHUNK_BYTES)


def left_in_images(stream):
    """Return the names of the files in what `docker save` prints, layers among them, that hold a trace of a secret."""
    needles = [trace.encode() for trace in TRACES]
    found = []
    with tarfile.open(fileobj=stream, mode="r|") as saved:
        for member in filter(tarfile.TarInfo.isfile, saved):
            # The end of a chunk, in which a trace may begin.
            rest = b""
            for chunk in chunks(saved.extractfile(member)):
                rest += chunk
                if any(needle in rest for needle in needles):
                    found.append(member.name)
                    break
                rest = rest[-max(map(len, needles)) :]
    return found


def archive(**files):
    """Return a tar of files with these contents."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_every_secret_has_a_trace():
    assert all(left(secret) for secret in (*PASSWORDS.values(), JUPYTER_TOKEN))


def test_a_secret_in_a_layer_would_be_found():
    secret = PASSWORDS["mlflow"].encode()
    late = b"x" * (CHUNK_BYTES - 20) + secret
    saved = archive(
        name=archive(**{PASSWORDS["mlflow"].replace("/", ""): b"", JUPYTER_TOKEN: b""}),
        content=archive(file=late),
        compressed=gzip.compress(archive(file=late)),
        config=json.dumps({"Env": [f"TOKEN={JUPYTER_TOKEN}"]}).encode(),
        harmless=archive(file=b"x" * CHUNK_BYTES),
    )
    assert left_in_images(io.BytesIO(saved)) == ["name", "content", "compressed", "config"]


def test_no_secret_is_in_a_layer_of_an_image(toolbox):
    images = [toolbox.inspect(service)["Config"]["Image"] for service in SERVICES]
    with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as save:
        assert left_in_images(save.stdout) == []
    assert save.returncode == 0


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_is_in_the_history_or_the_settings_of_an_image(toolbox, service):
    image = toolbox.inspect(service)["Config"]["Image"]
    for question in (["history", "--no-trunc", "--format", "json", image], ["image", "inspect", image]):
        answer = toolbox.run("docker", *question)
        assert answer.returncode == 0
        assert left(answer.stdout) == []


@pytest.mark.parametrize("service", IN_ORDER)
def test_docker_shows_what_is_set_as_variables_of_what_makes_the_secrets_alone(toolbox, service):
    details = toolbox.inspect(service)
    variables = details["Config"].pop("Env")
    assert left("\n".join(variables)) == (list(TRACES) if service == "secrets" else [])
    assert left(json.dumps(details)) == []


def test_no_process_of_this_machine_shows_a_secret(toolbox):
    # Where Docker is not in a machine of its own, those of the containers are among them.
    lines = ""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        # It may have ended since.
        with contextlib.suppress(OSError):
            lines += path.read_text(errors="replace")
    assert "pytest" in lines
    assert left(lines) == []


def test_a_secret_that_was_used_is_in_no_log(toolbox):
    token = quote(JUPYTER_TOKEN, safe="")
    assert toolbox.get("notebook", f"/api/contents?token={token}")[0] == 200
    assert toolbox.get("notebook", f"/lab?token={token}")[0] == 200
    assert toolbox.get("notebook", "/api/contents/missing", **TOKEN_HEADER)[0] == 404
    toolbox.invoke("psql", "--role", "postgres", "--command", "SELEKT")
    logs = toolbox.first_logs + toolbox.compose("logs")
    assert "SELEKT" in logs
    assert "/api/contents" in logs
    assert left(logs) == []
    assert token not in logs
