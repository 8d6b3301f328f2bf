"""A foreign web page in the browser of a logged-in person cannot read or change anything in JupyterLab."""

import contextlib
import http.client
import json
import socket
from urllib.parse import quote

import pytest

from tests.support.copies import JUPYTER_TOKEN, TOKEN_HEADER

pytestmark = pytest.mark.stack

# {own} stands for the origin of JupyterLab's own pages.
FOREIGN = ["http://evil.example", "http://127.0.0.1:1", "{own}.evil.example", "null"]
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def own(toolbox):
    """Return the origin of JupyterLab's own pages."""
    return toolbox.url("notebook", "")


def send(toolbox, method, path, headers, body=None):
    """Send a request to JupyterLab; return (status, headers of the response)."""
    connection = http.client.HTTPConnection("127.0.0.1", toolbox.ports["NOTEBOOK_PORT"], timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers


def handshake(toolbox, path, headers):
    """Request a websocket from JupyterLab; return the status of the response, 101 if it is opened."""
    port = toolbox.ports["NOTEBOOK_PORT"]
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in (UPGRADE | headers).items()]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(connection.makefile("rb").readline().split()[1])


@pytest.fixture(scope="module")
def cookies(toolbox):
    """The cookies of a browser that has opened JupyterLab with the token, by name."""
    status, headers = send(toolbox, "GET", f"/lab?token={quote(JUPYTER_TOKEN, safe='')}", {})
    assert status == 200
    return dict(cookie.split(";")[0].split("=", 1) for cookie in headers.get_all("Set-Cookie"))


@pytest.fixture(scope="module")
def browser(cookies):
    """The headers that this browser sends to JupyterLab, from any page."""
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def start(toolbox, kind):
    """Start a kernel or a terminal; return the response of the server."""
    status, answer = toolbox.request("POST", "notebook", f"/api/{kind}", body={}, **TOKEN_HEADER)
    assert status in (200, 201)
    return json.loads(answer)


@pytest.fixture(scope="module", params=["kernel", "terminal", "events"])
def websocket(request, toolbox):
    """The path of a websocket: each runs programs in the container or reports events there."""
    if request.param == "kernel":
        kernel = start(toolbox, "kernels")["id"]
        yield f"/api/kernels/{kernel}/channels"
        toolbox.request("DELETE", "notebook", f"/api/kernels/{kernel}", **TOKEN_HEADER)
    elif request.param == "terminal":
        terminal = start(toolbox, "terminals")["name"]
        yield f"/terminals/websocket/{terminal}"
        toolbox.request("DELETE", "notebook", f"/api/terminals/{terminal}", **TOKEN_HEADER)
    else:
        yield "/api/events/subscribe"


def test_jupyterlabs_own_page_can_open_a_websocket(toolbox, browser, websocket):
    assert handshake(toolbox, websocket, browser | {"Origin": own(toolbox)}) == 101


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_cannot_open_a_websocket_even_with_the_cookies(toolbox, browser, websocket, origin):
    assert handshake(toolbox, websocket, browser | {"Origin": origin.format(own=own(toolbox))}) == 403


@pytest.mark.parametrize("headers", [{}, {"Authorization": "token wrong"}], ids=["no", "a wrong"])
@pytest.mark.parametrize("origin", ["{own}", *FOREIGN])
def test_a_websocket_cannot_be_opened_without_the_token(toolbox, websocket, origin, headers):
    assert handshake(toolbox, websocket, headers | {"Origin": origin.format(own=own(toolbox))}) == 403


# --- The REST API ---


def kernels(toolbox):
    """Return the number of running kernels."""
    return len(json.loads(toolbox.get("notebook", "/api/kernels", **TOKEN_HEADER)[1]))


def test_jupyterlabs_own_page_can_read_files(toolbox, browser):
    assert send(toolbox, "GET", "/api/contents", browser | {"Origin": own(toolbox)})[0] == 200


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_cannot_read_files(toolbox, browser, origin):
    assert send(toolbox, "GET", "/api/contents", browser | {"Origin": origin.format(own=own(toolbox))})[0] == 404


# Requests that a form, an image or a script of another page can make a browser send.
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "{own}"},
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Referer": "http://evil.example/"},
        {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"},
        {"X-XSRFToken": "guessed"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/api/kernels"), ("PUT", "/api/contents/planted.txt")])
def test_a_request_without_the_xsrf_token_changes_nothing(toolbox, browser, method, path, headers):
    before = kernels(toolbox)
    sent = browser | {name: value.format(own=own(toolbox)) for name, value in headers.items()}
    body = {"type": "file", "format": "text", "content": "x"}
    assert send(toolbox, method, path, sent, body)[0] in (403, 404)
    assert kernels(toolbox) == before
    assert toolbox.get("notebook", "/api/contents/planted.txt", **TOKEN_HEADER)[0] == 404


def test_a_file_cannot_be_embedded_in_a_foreign_page(toolbox, browser):
    toolbox.host("notebook").check_output("echo secret > ~/shown.html")
    assert send(toolbox, "GET", "/files/shown.html", browser | {"Sec-Fetch-Site": "cross-site"})[0] == 403


def test_the_cookie_is_invalid_for_other_host_names(toolbox, browser):
    # An attacker's host name can resolve to this server, and then its pages have the same origin (DNS rebinding).
    assert send(toolbox, "GET", "/api/contents", browser | {"Host": "evil.example"})[0] == 403


def test_foreign_pages_cannot_frame_jupyterlab(toolbox, browser):
    _, headers = send(toolbox, "GET", "/lab", browser)
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]


# --- Ports of the notebook's container ---

# Hosts that are not this container, or that only look like it.
HOSTS = [
    "mlflow:5000",
    "postgres:5432",
    "MLFLOW:5000",
    "mlflow.:5000",
    "%6dlflow:5000",
    "169.254.169.254:80",
    "example.com:80",
    "0.0.0.0:8888",
    "127.1:8888",
    "2130706433:8888",
    "LOCALHOST:8888",
    "localhost%2epostgres:5432",
]
# The proxy does not recognise these as hosts.
NOT_HOSTS = ["[::1]:8888", "localhost@postgres:5432", "http://postgres:5432"]


@pytest.fixture(scope="module")
def program(toolbox):
    """The port of a file server in the notebook's container."""
    port = 6006
    prepare = "mkdir -p /tmp/shown && cd /tmp/shown && echo hello > x && echo $$ > pid"
    script = f"{prepare} && exec python -m http.server {port}"
    toolbox.compose("exec", "--detach", "notebook", "sh", "-c", script)
    toolbox.host("notebook").check_output(f"curl --silent --retry 30 --retry-connrefused 127.0.0.1:{port}/x")
    yield port
    toolbox.host("notebook").check_output("kill $(cat /tmp/shown/pid)")


@pytest.mark.parametrize("form", ["{}", "localhost:{}", "127.0.0.1:{}"])
def test_the_proxy_reaches_a_program_in_the_container_only_after_login(toolbox, browser, program, form):
    path = f"/proxy/{form.format(program)}/x"
    assert toolbox.get("notebook", path, **browser) == (200, b"hello\n")
    assert send(toolbox, "GET", path, {})[0] == 302


@pytest.mark.parametrize("port", ["1", "0", "99999", "localhost:1", "absolute/1"])
def test_the_proxy_reports_a_port_without_a_program_in_one_line(toolbox, browser, port):
    status, answer = toolbox.get("notebook", f"/proxy/{port}/", **browser)
    assert status == 502
    assert answer.decode().startswith("No program answers on port ")
    assert len(answer.splitlines()) == 1


# A page of MLflow with Jupyter's cookie could do everything that its user can, and an HTML artifact is such a page once
# its frame is opened in a separate tab.
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("form", ["/proxy/{}/", "/proxy/absolute/{}/"])
def test_the_proxy_reaches_no_other_host(toolbox, browser, host, form):
    path = form.format(host)
    assert send(toolbox, "GET", path, browser)[0] == 403
    assert send(toolbox, "POST", path, browser)[0] == 403


@pytest.mark.parametrize("host", HOSTS)
def test_the_proxy_reaches_no_other_host_by_a_websocket(toolbox, browser, host):
    port = toolbox.ports["NOTEBOOK_PORT"]
    lines = [f"GET /proxy/{host}/ HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in (UPGRADE | browser | {"Origin": own(toolbox)}).items()]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        head, _, frames = connection.makefile("rb").read().partition(b"\r\n\r\n")
    # Rejected, or opened and closed again without data.
    assert head.split()[1] in (b"403", b"101")
    assert frames[:1] in (b"", b"\x88", b"<")


@pytest.mark.parametrize("host", NOT_HOSTS)
def test_the_proxy_finds_nothing_under_an_invalid_host(toolbox, browser, host):
    assert send(toolbox, "GET", f"/proxy/{host}", browser)[0] == 404
