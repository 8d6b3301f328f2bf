"""ml-flow-docker/guard.py: which requests are rejected before MLflow sees them."""

import asyncio
import gzip
import json
import zlib

import pytest

from tests.support.layers import program

guard = program("ml-flow-docker/guard.py")

OWN = "http://localhost:5000"
ENVIRONMENT = {
    "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": f"{OWN}, http://127.0.0.1:80,https://Page.Example.org:443/",
    "MLFLOW_EXTRA_ALLOWED_HOSTS": "mlflow.example.org,box:8443",
}
LOG = "/api/2.0/mlflow/runs/log-batch"
UPLOAD = guard.UPLOADS[1] + "0/model.pkl"


class Server:
    """A guard, and what reaches the application behind it: the `bodies`, and the `headers` of the last request."""

    def __init__(self):
        self.bodies = []
        self.guard = guard.Guard(self.application, guard.own_origins(ENVIRONMENT))

    async def application(self, scope, receive, send):
        self.headers = scope["headers"]
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def ask(self, *chunks, method="POST", path=LOG, **headers):
        """Send a request, its body in chunks; return (status, message, headers) of the answer."""
        pairs = [(name.lower().replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        return await self.ask_with(pairs, *chunks, method=method, path=path)

    async def ask_with(self, pairs, *chunks, method="POST", path=LOG):
        """Send a request with its headers as a list of pairs."""
        scope = {"type": "http", "method": method, "path": path, "headers": pairs}
        messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        messages.append({"type": "http.request"})
        sent = []

        async def receive():
            return messages.pop(0)

        async def send(message):
            sent.append(message)

        await self.guard(scope, receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"]).get("message"), dict(sent[0]["headers"])


@pytest.fixture
def server():
    return Server()


# --- Origins ---


def test_own_origins_are_written_as_browsers_write_them():
    assert guard.own_origins(ENVIRONMENT) == {
        OWN,
        "http://127.0.0.1",
        "https://page.example.org",
        "http://mlflow.example.org",
        "https://mlflow.example.org",
        "http://box:8443",
        "https://box:8443",
    }


@pytest.mark.parametrize("environment", [{}, dict.fromkeys(ENVIRONMENT, ""), dict.fromkeys(ENVIRONMENT, " , ")])
def test_blank_variables_are_no_origins(environment):
    assert guard.own_origins(environment) == set()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/health", "/graphql", "/v1/traces", "/gateway/x", LOG, UPLOAD])
@pytest.mark.parametrize(
    "origin",
    ["http://localhost:3000", "http://localhost", "https://localhost:5000", f"{OWN}/", OWN.upper(), "null", "*", ""],
)
def test_a_page_of_another_origin_is_refused_whatever_it_requests(server, method, path, origin):
    status, message, headers = asyncio.run(server.ask(b"{}", method=method, path=path, Origin=origin))
    assert status == 403
    assert f"{origin}' may not call this server" in message
    assert not [name for name in headers if b"access-control" in name]
    assert server.bodies == []


@pytest.mark.parametrize("pairs", [[OWN, "http://evil.example"], ["http://evil.example", OWN], [OWN, OWN]])
def test_a_request_with_two_origins_is_refused(server, pairs):
    headers = [(b"origin", origin.encode()) for origin in pairs]
    assert asyncio.run(server.ask_with(headers, b"{}"))[0] == 403
    assert server.bodies == []


@pytest.mark.parametrize("origin", sorted(guard.own_origins(ENVIRONMENT)))
def test_a_page_of_the_server_itself_is_accepted(server, origin):
    assert asyncio.run(server.ask(b"{}", Origin=origin))[0] == 200


def test_a_program_that_sends_no_origin_is_accepted(server):
    assert asyncio.run(server.ask(b"{", b"}", Host="localhost:5000"))[0] == 200
    assert server.bodies == [b"{}"]


# --- Bodies ---

FITS = bytes(guard.LARGEST)
RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)
PACKED = {
    "gzip": gzip.compress,
    "GZIP ": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": lambda data: RAW.copy().compress(data) + zlib_end(data),
    "gzip, of two parts": lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
}


def zlib_end(data):
    """Return the end of the compressed `data`, which RAW has to see first."""
    copy = RAW.copy()
    copy.compress(data)
    return copy.flush()


def test_a_body_that_fits_is_passed_on_and_a_larger_one_is_not(server):
    assert asyncio.run(server.ask(FITS))[0] == 200
    status, message, _ = asyncio.run(server.ask(FITS, b"x"))
    assert (status, server.bodies) == (413, [FITS])
    assert "more than 10 MB" in message


def test_a_body_that_is_too_large_is_read_to_its_end_but_not_kept(server):
    assert asyncio.run(server.ask(*[FITS] * 50, b"x"))[0] == 413
    assert server.bodies == []


@pytest.mark.parametrize("encoding", PACKED)
def test_a_packed_body_that_fits_is_passed_on_unpacked(server, encoding):
    packed = PACKED[encoding](FITS)
    assert asyncio.run(server.ask(packed, Content_Encoding=encoding.partition(",")[0]))[0] == 200
    assert server.bodies == [FITS]
    assert server.headers == [(b"content-length", str(len(FITS)).encode())]


@pytest.mark.parametrize("encoding", PACKED)
def test_a_packed_body_that_is_too_large_unpacked_is_refused(server, encoding):
    packed = PACKED[encoding](FITS + b"x")
    assert asyncio.run(server.ask(packed, Content_Encoding=encoding.partition(",")[0]))[0] == 413
    assert server.bodies == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("damage", [lambda packed: packed[:-3], lambda packed: b"x" + packed, lambda packed: b"x"])
def test_a_body_that_cannot_be_unpacked_is_refused(server, encoding, damage):
    packed = damage(PACKED[encoding](b"some text"))
    status, message, _ = asyncio.run(server.ask(packed, Content_Encoding=encoding))
    assert (status, server.bodies) == (400, [])
    assert f"cannot be unpacked as {encoding}: " in message


@pytest.mark.parametrize("encodings", [["gzip, gzip"], ["gzip", "gzip"], ["zstd"], ["br"], ["gzip", "identity"]])
def test_a_body_that_is_packed_in_another_way_or_twice_is_refused(server, encodings):
    headers = [(b"content-encoding", encoding.encode()) for encoding in encodings]
    status, message, _ = asyncio.run(server.ask_with(headers, gzip.compress(gzip.compress(b"{}"))))
    assert (status, server.bodies) == (415, [])
    assert "send gzip, deflate, or none" in message


def test_an_artifact_of_any_size_is_passed_on_unchanged(server):
    packed = gzip.compress(b"x")
    pieces = [*[FITS] * 3, packed]
    assert asyncio.run(server.ask(*pieces, method="PUT", path=UPLOAD, Content_Encoding="gzip"))[0] == 200
    assert server.bodies == [b"".join(pieces)]


def test_large_bodies_are_processed_one_after_the_other_and_small_ones_concurrently(server):
    inside, most = 0, 0

    async def application(scope, receive, send):
        nonlocal inside, most
        size = len((await receive())["body"])
        inside += size
        most = max(most, inside)
        if size > guard.SMALL:
            # Small ones are not kept waiting by a large one.
            assert await server.ask(b"small") == (200, None, {})
        inside -= size
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def all_at_once():
        return await asyncio.gather(*(server.ask(bytes(size)) for size in sizes))

    sizes = [guard.LARGEST, guard.LARGEST // 2, guard.LARGEST // 2, guard.LARGEST, guard.LARGEST // 3]
    server.guard.application = application
    assert [answer[0] for answer in asyncio.run(all_at_once())] == [200] * len(sizes)
    assert guard.LARGEST <= most <= guard.LARGEST + len(sizes) * len(b"small")


def test_an_error_releases_the_memory_of_its_body(server):
    async def application(scope, receive, send):
        raise RuntimeError

    async def fail_then_ask():
        passing, server.guard.application = server.guard.application, application
        with pytest.raises(RuntimeError):
            await server.ask(FITS)
        server.guard.application = passing
        return await server.ask(FITS)

    assert asyncio.run(fail_then_ask())[0] == 200
