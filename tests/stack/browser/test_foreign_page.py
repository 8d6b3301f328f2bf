"""What a web page of someone else's can do to JupyterLab, in the browser of a person who is logged in: nothing."""

import contextlib
import http.client
import json
import socket
from urllib.parse import quote

import pytest

from tests.support.copies import JUPYTER_TOKEN, TOKEN_HEADER

pytestmark = pytest.mark.stack

# In the place of {own} comes the origin of JupyterLab's own pages.
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


def ask(toolbox, method, path, headers, body=None):
    """Send a request to JupyterLab; return (status, headers of the answer)."""
    connection = http.client.HTTPConnection("127.0.0.1", toolbox.ports["NOTEBOOK_PORT"], timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers


def handshake(toolbox, path, headers):
    """Ask JupyterLab for a websocket; return the status of the answer, 101 where it is opened."""
    port = toolbox.ports["NOTEBOOK_PORT"]
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in (UPGRADE | headers).items()]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(connection.makefile("rb").readline().split()[1])


@pytest.fixture(scope="module")
def cookies(toolbox):
    """The cookies of a browser that has opened JupyterLab with the token, by name."""
    status, headers = ask(toolbox, "GET", f"/lab?token={quote(JUPYTER_TOKEN, safe='')}", {})
    assert status == 200
    return dict(cookie.split(";")[0].split("=", 1) for cookie in headers.get_all("Set-Cookie"))


@pytest.fixture(scope="module")
def browser(cookies):
    """The headers that such a browser sends to JupyterLab, whatever page it shows."""
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def made(toolbox, kind):
    """Start a kernel or a terminal; return what the server says about it."""
    status, answer = toolbox.request("POST", "notebook", f"/api/{kind}", body={}, **TOKEN_HEADER)
    assert status in (200, 201)
    return json.loads(answer)


@pytest.fixture(scope="module", params=["kernel", "terminal", "events"])
def websocket(request, toolbox):
    """The path of a websocket: each runs programs in the container or tells what happens there."""
    if request.param == "kernel":
        kernel = made(toolbox, "kernels")["id"]
        yield f"/api/kernels/{kernel}/channels"
        toolbox.request("DELETE", "notebook", f"/api/kernels/{kernel}", **TOKEN_HEADER)
    elif request.param == "terminal":
        terminal = made(toolbox, "terminals")["name"]
        yield f"/terminals/websocket/{terminal}"
        toolbox.request("DELETE", "notebook", f"/api/terminals/{terminal}", **TOKEN_HEADER)
    else:
        yield "/api/events/subscribe"


def test_the_own_page_opens_a_websocket(toolbox, browser, websocket):
    assert handshake(toolbox, websocket, browser | {"Origin": own(toolbox)}) == 101


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_opens_no_websocket_for_who_is_logged_in(toolbox, browser, websocket, origin):
    assert handshake(toolbox, websocket, browser | {"Origin": origin.format(own=own(toolbox))}) == 403


@pytest.mark.parametrize("headers", [{}, {"Authorization": "token wrong"}], ids=["no", "a wrong"])
@pytest.mark.parametrize("origin", ["{own}", *FOREIGN])
def test_nobody_opens_a_websocket_without_the_token(toolbox, websocket, origin, headers):
    assert handshake(toolbox, websocket, headers | {"Origin": origin.format(own=own(toolbox))}) == 403


# --- The REST API ---


def kernels(toolbox):
    """Return how many kernels run."""
    return len(json.loads(toolbox.get("notebook", "/api/kernels", **TOKEN_HEADER)[1]))


def test_the_own_page_reads(toolbox, browser):
    assert ask(toolbox, "GET", "/api/contents", browser | {"Origin": own(toolbox)})[0] == 200


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_reads_nothing(toolbox, browser, origin):
    assert ask(toolbox, "GET", "/api/contents", browser | {"Origin": origin.format(own=own(toolbox))})[0] == 404


# Without a header of JupyterLab's own page a browser sends what a form, a picture or a script of another page asks for.
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
def test_a_request_without_the_mark_of_the_own_page_changes_nothing(toolbox, browser, method, path, headers):
    before = kernels(toolbox)
    sent = browser | {name: value.format(own=own(toolbox)) for name, value in headers.items()}
    body = {"type": "file", "format": "text", "content": "x"}
    assert ask(toolbox, method, path, sent, body)[0] in (403, 404)
    assert kernels(toolbox) == before
    assert toolbox.get("notebook", "/api/contents/planted.txt", **TOKEN_HEADER)[0] == 404


def test_a_file_is_not_shown_to_a_foreign_page(toolbox, browser):
    toolbox.host("notebook").check_output("echo secret > ~/shown.html")
    assert ask(toolbox, "GET", "/files/shown.html", browser | {"Sec-Fetch-Site": "cross-site"})[0] == 403


def test_the_cookie_counts_for_no_other_name_of_the_server(toolbox, browser):
    # A name of the attacker's can be made to lead here, and a page of that name is no foreign one to the browser.
    assert ask(toolbox, "GET", "/api/contents", browser | {"Host": "evil.example"})[0] == 403


def test_pages_of_others_cannot_frame_jupyterlab(toolbox, browser):
    _, headers = ask(toolbox, "GET", "/lab", browser)
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
# What is no host to the proxy.
NO_HOSTS = ["[::1]:8888", "localhost@postgres:5432", "http://postgres:5432"]


@pytest.fixture(scope="module")
def program(toolbox):
    """The port of a web server in the notebook's container, for the files of a folder."""
    port = 6006
    made = "mkdir -p /tmp/shown && cd /tmp/shown && echo hello > x && echo $$ > pid"
    script = f"{made} && exec python -m http.server {port}"
    toolbox.compose("exec", "--detach", "notebook", "sh", "-c", script)
    toolbox.host("notebook").check_output(f"curl --silent --retry 30 --retry-connrefused 127.0.0.1:{port}/x")
    yield port
    toolbox.host("notebook").check_output("kill $(cat /tmp/shown/pid)")


@pytest.mark.parametrize("form", ["{}", "localhost:{}", "127.0.0.1:{}"])
def test_a_program_in_the_container_is_reached_behind_the_login(toolbox, browser, program, form):
    path = f"/proxy/{form.format(program)}/x"
    assert toolbox.get("notebook", path, **browser) == (200, b"hello\n")
    assert ask(toolbox, "GET", path, {})[0] == 302


@pytest.mark.parametrize("port", ["1", "0", "99999", "localhost:1", "absolute/1"])
def test_a_port_that_nothing_listens_on_is_told_in_one_line(toolbox, browser, port):
    status, answer = toolbox.get("notebook", f"/proxy/{port}/", **browser)
    assert status == 502
    assert answer.decode().startswith("No program answers on port ")
    assert len(answer.splitlines()) == 1


# A page of MLflow's with Jupyter's cookie could do all that its user can, and an HTML file that somebody logged is such
# a page once its frame is opened in a tab of its own.
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("form", ["/proxy/{}/", "/proxy/absolute/{}/"])
def test_no_other_host_is_reached(toolbox, browser, host, form):
    path = form.format(host)
    assert ask(toolbox, "GET", path, browser)[0] == 403
    assert ask(toolbox, "POST", path, browser)[0] == 403


@pytest.mark.parametrize("host", HOSTS)
def test_no_other_host_is_reached_by_a_websocket(toolbox, browser, host):
    port = toolbox.ports["NOTEBOOK_PORT"]
    lines = [f"GET /proxy/{host}/ HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in (UPGRADE | browser | {"Origin": own(toolbox)}).items()]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        head, _, frames = connection.makefile("rb").read().partition(b"\r\n\r\n")
    # Refused, or opened and closed again with nothing said.
    assert head.split()[1] in (b"403", b"101")
    assert frames[:1] in (b"", b"\x88", b"<")


@pytest.mark.parametrize("host", NO_HOSTS)
def test_what_is_no_host_is_not_found(toolbox, browser, host):
    assert ask(toolbox, "GET", f"/proxy/{host}", browser)[0] == 404
