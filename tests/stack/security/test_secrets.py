"""No secret leaks into images or their history, command lines, settings of other services, or logs."""

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

# A part of every password, and one of the token, that is the same in JSON, in shell quotes and in .env.
TRACES = ("@g/h%i%20:j", "?#/+=%20")
CHUNK_BYTES = 1 << 20
GZIP = b"\x1f\x8b"


def leaks(text):
    """Return the traces of secrets in a text."""
    return [trace for trace in TRACES if trace in text]


def chunks(file):
    """Yield the contents of a file, decompressed if necessary."""
    first = file.read(CHUNK_BYTES)
    decompress = zlib.decompressobj(wbits=31).decompress if first.startswith(GZIP) else bytes
    while first:
        yield decompress(first)
        first = file.read(CHUNK_BYTES)


def leaks_in_images(stream):
    """Return the names of the files in the output of `docker save`, such as layers, that hold a trace of a secret."""
    needles = [trace.encode() for trace in TRACES]
    found = []
    with tarfile.open(fileobj=stream, mode="r|") as saved:
        for member in filter(tarfile.TarInfo.isfile, saved):
            # The end of the previous chunk, as a trace may span two.
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
    assert all(leaks(secret) for secret in (*PASSWORDS.values(), JUPYTER_TOKEN))


def test_a_secret_in_a_layer_of_an_image_is_detected():
    secret = PASSWORDS["mlflow"].encode()
    late = b"x" * (CHUNK_BYTES - 20) + secret
    saved = archive(
        name=archive(**{PASSWORDS["mlflow"].replace("/", ""): b"", JUPYTER_TOKEN: b""}),
        content=archive(file=late),
        compressed=gzip.compress(archive(file=late)),
        config=json.dumps({"Env": [f"TOKEN={JUPYTER_TOKEN}"]}).encode(),
        harmless=archive(file=b"x" * CHUNK_BYTES),
    )
    assert leaks_in_images(io.BytesIO(saved)) == ["name", "content", "compressed", "config"]


def test_no_secret_is_in_a_layer_of_an_image(toolbox):
    images = [toolbox.inspect(service)["Config"]["Image"] for service in SERVICES]
    with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as save:
        assert leaks_in_images(save.stdout) == []
    assert save.returncode == 0


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_is_in_the_history_or_the_settings_of_an_image(toolbox, service):
    image = toolbox.inspect(service)["Config"]["Image"]
    for command in (["history", "--no-trunc", "--format", "json", image], ["image", "inspect", image]):
        result = toolbox.run("docker", *command)
        assert result.returncode == 0
        assert leaks(result.stdout) == []


@pytest.mark.parametrize("service", IN_ORDER)
def test_docker_inspect_shows_secrets_only_as_variables_of_the_service_secrets(toolbox, service):
    details = toolbox.inspect(service)
    variables = details["Config"].pop("Env")
    assert leaks("\n".join(variables)) == (list(TRACES) if service == "secrets" else [])
    assert leaks(json.dumps(details)) == []


def test_no_process_of_this_machine_shows_a_secret(toolbox):
    # Includes those of the containers, unless Docker runs in a virtual machine.
    lines = ""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        # The process may have exited.
        with contextlib.suppress(OSError):
            lines += path.read_text(errors="replace")
    assert "pytest" in lines
    assert leaks(lines) == []


def test_no_secret_is_in_a_log_after_it_was_used(toolbox):
    token = quote(JUPYTER_TOKEN, safe="")
    assert toolbox.get("notebook", f"/api/contents?token={token}")[0] == 200
    assert toolbox.get("notebook", f"/lab?token={token}")[0] == 200
    assert toolbox.get("notebook", "/api/contents/missing", **TOKEN_HEADER)[0] == 404
    toolbox.invoke("psql", "--role", "postgres", "--command", "SELEKT")
    logs = toolbox.first_logs + toolbox.compose("logs")
    assert "SELEKT" in logs
    assert "/api/contents" in logs
    assert leaks(logs) == []
    assert token not in logs
