"""Reject, before MLflow sees them, requests from foreign web pages, and bodies that would exceed its memory.

MLflow accepts pages from any port of localhost, checks the origin only for some paths, and reads bodies of any size.
"""

import asyncio
import gzip
import io
import json
import zlib
from http import HTTPStatus

# Bytes of a decompressed body. MLflow's pages upload files of up to this size. Parsed JSON can take 72 times as much:
# with this limit, two workers stay below the container's 2 GB.
LARGEST = 10 << 20
# Smaller bodies are not counted: there is enough memory for those of a worker's 40 threads.
SMALL = 64 << 10
# A restore's staging directory among the artifacts, which no request may name.
STAGING = ".data-toolbox-restore"
# Artifacts are streamed to disk.
UPLOADS = ("/api/2.0/mlflow-artifacts/artifacts/", "/ajax-api/2.0/mlflow-artifacts/artifacts/")


def own_origins(environment):
    """Return the origins of the server's own pages, as browsers write them.

    `environment` is a dictionary with comma-separated lists: MLFLOW_SERVER_CORS_ALLOWED_ORIGINS has origins, and
    MLFLOW_EXTRA_ALLOWED_HOSTS has hosts, with http and https, because a proxy may add TLS.
    """
    origins = environment.get("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", "").split(",")
    for host in environment.get("MLFLOW_EXTRA_ALLOWED_HOSTS", "").split(","):
        origins += [f"http://{host.strip()}", f"https://{host.strip()}"]
    return {as_written(origin) for origin in origins} - {"", "http:", "https:"}


def as_written(origin):
    """Return an origin as browsers write it: in lower case, without the default port of its scheme."""
    origin = origin.strip().lower().rstrip("/")
    return origin.removesuffix(":443" if origin.startswith("https:") else ":80")


class Guard:
    """ASGI middleware that passes acceptable requests to `application`. `origins` is the set of allowed origins."""

    def __init__(self, application, origins):
        self.application = application
        self.origins = origins
        self.room = LARGEST
        self.queue = asyncio.Lock()
        self.left = asyncio.Event()

    async def __call__(self, scope, receive, send):
        """Answer a request."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        origins = values(scope, b"origin")
        if origins and (len(origins) > 1 or origins[0] not in self.origins):
            message = f"Web pages of {', '.join(origins)!r} may not call this server, only its own pages."
            await refuse(send, HTTPStatus.FORBIDDEN, "PERMISSION_DENIED", message)
        elif scope["method"] == "PUT" and scope["path"].startswith(UPLOADS):
            await self.application(scope, receive, send)
        else:
            await self.read(scope, receive, send)

    async def read(self, scope, receive, send):
        """Answer a request after reading its whole body."""
        try:
            body = await whole(receive)
            if encodings := [name for name in ",".join(values(scope, b"content-encoding")).lower().split(",") if name]:
                body = await asyncio.to_thread(unpacked, body, [name.strip() for name in encodings])
                kept = [pair for pair in scope["headers"] if pair[0] not in (b"content-encoding", b"content-length")]
                scope = scope | {"headers": [*kept, (b"content-length", b"%d" % len(body))]}
        except RefusedError as refusal:
            await refuse(send, refusal.status, "INVALID_PARAMETER_VALUE", str(refusal))
            return
        except ConnectionError:
            return

        size = len(body) if len(body) > SMALL else 0
        messages = [{"type": "http.request", "body": body}]
        del body

        async def replay():
            return messages.pop() if messages else await receive()

        await self.enter(size)
        try:
            await self.application(scope, replay, send)
        finally:
            self.room += size
            self.left.set()

    async def enter(self, size):
        """Wait until memory for a body of `size` bytes is available, first come, first served."""
        async with self.queue:
            while size > self.room:
                self.left.clear()
                await self.left.wait()
            self.room -= size


class RefusedError(Exception):
    """Why a body is rejected, with the HTTP `status`."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def too_large():
    """Return the exception for a body that is too large."""
    message = (
        f"The request has more than {LARGEST >> 20} MB, unpacked: send less at once, and large files as artifacts."
    )
    return RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)


def values(scope, name):
    """Return the values of the headers called `name`."""
    return [value.decode("latin-1") for header, value in scope["headers"] if header == name]


async def whole(receive):
    """Return the body of a request. Raises RefusedError if it is too large, ConnectionError if the client disconnects.

    A body that is too large is read to its end: a client that is disconnected while sending sees no response.
    """
    body, size, more = bytearray(), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size <= LARGEST:
            body += chunk
        else:
            body.clear()
    if size > LARGEST:
        raise too_large()
    return bytes(body)


def unpacked(body, encodings):
    """Return a body decompressed according to `encodings`, a list of names.

    Raises RefusedError if it cannot be decompressed, or is too large.
    """
    try:
        if encodings == ["gzip"]:
            result = gzip.GzipFile(fileobj=io.BytesIO(body)).read(LARGEST + 1)
        elif encodings == ["deflate"]:
            result = inflated(body)
        elif encodings == ["identity"]:
            result = body
        else:
            known = "gzip, deflate, or none"
            message = f"The Content-Encoding {', '.join(encodings)!r} is not supported: send {known}."
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
    except (EOFError, OSError, zlib.error) as error:
        message = f"The request cannot be unpacked as {encodings[0]}: {error}"
        raise RefusedError(HTTPStatus.BAD_REQUEST, message) from error
    if len(result) > LARGEST:
        raise too_large()
    return result


def inflated(body):
    """Return up to LARGEST + 1 bytes of a "deflate" body, with or without a zlib header.

    Raises zlib.error if it is not one.
    """
    try:
        decoder = zlib.decompressobj()
        result = decoder.decompress(body, LARGEST + 1)
    except zlib.error:
        decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        result = decoder.decompress(body, LARGEST + 1)
    if not decoder.eof and len(result) <= LARGEST:
        raise zlib.error("it is not complete")
    return result


async def refuse(send, status, code, message):
    """Answer with a status and one line of JSON: MLflow's error code and a message."""
    text = json.dumps({"error_code": code, "message": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": text})
