"""MLflow rejects requests of foreign web pages, and those that are too big, malformed or forged."""

import gzip
import json
import secrets
import zlib
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from tests.support.copies import ROOT
from tests.support.waiting import answers

pytestmark = pytest.mark.stack

API = "/api/2.0/mlflow/"
# The headers that open a websocket.
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
# Deeper nesting than Python can parse.
DEEP = 100_000


# {notebook} stands for the port of JupyterLab, whose pages are on the same machine.
FOREIGN = [
    "http://evil.example",
    "https://localhost.evil.example",
    "null",
    "http://localhost:3000",
    "http://127.0.0.1:9999",
    "http://[::1]:3000",
    "http://127.0.0.1:{notebook}",
]


def foreign(toolbox, origin):
    """Return the Origin header of a page's requests."""
    return {"Origin": origin.format(notebook=toolbox.ports["NOTEBOOK_PORT"])}


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("api", ["api", "ajax-api"])
def test_a_foreign_web_page_cannot_change_anything(toolbox, origin, api):
    name = f"from {origin} by {api}"
    sent = foreign(toolbox, origin)
    assert toolbox.post(f"/{api}/2.0/mlflow/experiments/create", {"name": name}, **sent)[0] == 403
    assert toolbox.get("mlflow", f"/api/2.0/mlflow/experiments/get-by-name?experiment_name={quote(name)}")[0] == 404


@pytest.mark.parametrize("origin", FOREIGN)
def test_every_request_of_a_foreign_web_page_is_rejected(toolbox, origin):
    paths = ["/", "/health", "/graphql", "/v1/traces", "/gateway/x/mlflow/invocations", "/get-artifact", "/nothing"]
    for path in [*paths, *(f"/{api}/2.0/mlflow-artifacts/artifacts/x" for api in ("api", "ajax-api"))]:
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
            extra = {"Access_Control_Request_Method": "DELETE"} if method == "OPTIONS" else UPGRADE
            status, headers = toolbox.answered(method, "mlflow", path, **foreign(toolbox, origin), **extra)
            assert (status, [name for name in headers if name.startswith("access-control-")]) == (403, [])


def test_mlflows_own_pages_can_use_the_api(toolbox):
    assert (
        toolbox.post("/ajax-api/2.0/mlflow/experiments/search", {"max_results": 1}, Origin=toolbox.url("mlflow", ""))[0]
        == 200
    )


def test_foreign_pages_cannot_frame_mlflow(toolbox):
    assert toolbox.headers("mlflow", "/")["X-Frame-Options"] == "SAMEORIGIN"


@pytest.fixture(scope="module")
def run(toolbox):
    """The ID of a run."""
    _, answer = toolbox.post(f"{API}runs/create", {"experiment_id": "0"})
    return answer["run"]["info"]["run_id"]


def metrics(count, **fields):
    """Return `count` metrics, with some fields replaced."""
    return [{"key": f"metric{i}", "value": 1.0, "timestamp": 1, "step": 0} | fields for i in range(count)]


def pairs(count, value="1"):
    """Return `count` params or tags."""
    return [{"key": f"pair{i}", "value": value} for i in range(count)]


def rows(toolbox, run):
    """Return the numbers of metrics, params and tags of a run."""
    return [
        toolbox.sql("analyst", "mlflow", f"SELECT count(*) FROM {table} WHERE run_uuid = '{run}'")[0][0]
        for table in ("metrics", "params", "tags")
    ]


# Values that are too long are truncated, not rejected, except from a page: see below.
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("runs/log-batch", {"metrics": metrics(1001)}),
        ("runs/log-batch", {"params": pairs(101)}),
        ("runs/log-batch", {"tags": pairs(101)}),
        ("runs/log-batch", {"metrics": metrics(1, key="x" * 251)}),
        ("runs/log-batch", {"metrics": {"key": "a", "value": 1}}),
        ("runs/log-metric", {"key": "null\0byte", "value": 1, "timestamp": 1}),
        ("runs/log-metric", {"key": "a", "value": "one", "timestamp": 1}),
        ("runs/log-metric", {"key": "a", "value": float("nan"), "timestamp": 1}),
        ("runs/log-metric", {"key": "a", "value": 1, "timestamp": 1, "step": 2**63}),
        ("runs/log-batch", {"metrics": [*metrics(1), *metrics(1, value=float("nan")), *metrics(1)]}),
        ("runs/log-batch", {"metrics": [*metrics(1), *metrics(1, value="one"), *metrics(1)]}),
        ("runs/log-parameter", {"key": "null\0byte", "value": "1"}),
    ],
    ids=[
        "1001 metrics",
        "101 params",
        "101 tags",
        "long name of a metric",
        "metrics as an object",
        "null byte in the name of a metric",
        "a word as a value",
        "a bare NaN as a value",
        "a step that is too large",
        "a bare NaN among metrics",
        "a word as a value among metrics",
        "null byte in the name of a param",
    ],
)
def test_a_request_with_too_many_or_invalid_values_stores_nothing(toolbox, run, path, body):
    before = rows(toolbox, run)
    assert toolbox.post(API + path, {"run_id": run} | body)[0] == 400
    assert rows(toolbox, run) == before
    assert answers(toolbox)


@pytest.mark.parametrize("path", ["%2e", "./", "%2e/%2e", "%2f"])
@pytest.mark.parametrize("api", ["api", "ajax-api"])
def test_no_single_request_deletes_all_artifacts(toolbox, api, path):
    kept = toolbox.host("mlflow").check_output("find /mlflow/artifacts | sort")
    assert toolbox.request("DELETE", "mlflow", f"/{api}/2.0/mlflow-artifacts/artifacts/{path}")[0] in (400, 404)
    assert toolbox.host("mlflow").check_output("find /mlflow/artifacts | sort") == kept


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("experiments/create", {"name": "x" * 1_000_000}),
        ("experiments/create", {"name": ["not", "a", "name"]}),
        ("experiments/create", {"name": 1}),
        ("experiments/create", None),
        ("experiments/create", b""),
        ("experiments/create", b"null"),
        ("experiments/create", b'{"name":'),
        ("experiments/create", b'{"name": "\xff\xfe"}'),
        ("experiments/create", b'{"name":' * 500 + b"1" + b"}" * 500),
        ("registered-models/create", {"name": "x" * 1_000_000}),
        ("registered-models/create", {"name": "../../etc"}),
        ("runs/create", {"experiment_id": "0", "run_name": "x" * 1_000_000}),
        ("runs/search", {"experiment_ids": ["0"], "max_results": 10_000_000}),
        ("runs/search", {"experiment_ids": ["0"], "max_results": 2**31}),
        ("runs/search", {"experiment_ids": ["0"], "max_results": -1}),
        ("runs/search", {"experiment_ids": ["0"], "max_results": 0}),
        ("runs/search", {"experiment_ids": ["0"], "page_token": "forged"}),
        ("experiments/search", {"max_results": -1}),
        ("runs/search", {"experiment_ids": ["0"], "filter": " and ".join(["params.a = 'x'"] * 2000)}),
        ("runs/log-metric", b'{"run_id": "0", "key": "a", "value": 1, "timestamp": 1' + b"0" * 5000 + b"}"),
        ("runs/log-batch", {"run_id": "x" * 100_000, "metrics": []}),
    ],
    ids=[
        "long name",
        "list as name",
        "number as name",
        "no body",
        "empty body",
        "null",
        "broken JSON",
        "no UTF-8",
        "nested JSON",
        "long name of a model",
        "path as name of a model",
        "long name of a run",
        "too many results",
        "huge number of results",
        "negative number of results",
        "no results",
        "forged page",
        "negative number of experiments",
        "long filter",
        "number of 5000 digits",
        "long run id",
    ],
)
def test_a_request_that_is_too_big_or_malformed_is_rejected_and_the_server_survives(toolbox, path, body):
    assert toolbox.post(API + path, body, timeout=120)[0] == 400
    assert answers(toolbox)


# --- Large bodies ---

MB = 1 << 20
TRACES = {"Content_Type": "application/x-protobuf", "X_Mlflow_Experiment_Id": "0"}


def compressed(wbits, megabytes, end=b""):
    """Return that many MiB of zeros and `end`, compressed; `wbits` is the format, as for zlib."""
    stream = zlib.compressobj(9, wbits=wbits)
    return b"".join([*(stream.compress(bytes(MB)) for _ in range(megabytes)), stream.compress(end), stream.flush()])


def workers(toolbox):
    """Return the memory of each process of the server in MiB, by PID."""
    listed = toolbox.run("docker", "top", toolbox.container("mlflow"), "-o", "pid,rss,args").stdout.splitlines()
    # Without health checks.
    found = (line.split(maxsplit=2) for line in listed if "start.py" in line)
    return {int(pid): int(rss) >> 10 for pid, rss, _ in found}


@pytest.mark.parametrize(
    ("path", "encoding", "body"),
    [
        ("/v1/traces", "gzip", compressed(31, 2048)),
        ("/v1/traces", "gzip", compressed(31, 9) * 100),
        ("/v1/traces", "deflate", compressed(15, 2048)),
        ("/v1/traces", "deflate", compressed(-15, 2048)),
        (f"{API}runs/log-batch", "gzip", compressed(31, 2048)),
        ("/v1/traces", "", bytes(100 * MB)),
        (f"{API}runs/log-batch", "", bytes(100 * MB)),
        ("/ajax-api/2.0/mlflow/upload-artifact?run_uuid=a&path=b", "", bytes(100 * MB)),
        ("/nothing", "", bytes(100 * MB)),
    ],
    ids=["gzip", "gzip of many parts", "zlib", "raw deflate", "gzip of JSON", "trace", "JSON", "file", "nowhere"],
)
def test_a_body_that_exceeds_the_limit_is_rejected_without_using_memory(toolbox, path, encoding, body):
    before = workers(toolbox)
    with ThreadPoolExecutor(4) as pool:
        requests = [pool.submit(toolbox.post, path, body, **TRACES, Content_Encoding=encoding) for _ in range(4)]
    for status, answer in (it.result() for it in requests):
        assert status == 413
        assert "more than 10 MB" in answer["message"]
    after = workers(toolbox)
    assert after.keys() == before.keys()
    assert sum(after.values()) < sum(before.values()) + 200


def test_a_body_that_is_compressed_twice_is_rejected(toolbox):
    body = gzip.compress(compressed(31, 2048))
    assert toolbox.post("/v1/traces", body, **TRACES, Content_Encoding="gzip, gzip")[0] == 415


def test_the_largest_accepted_bodies_kill_no_worker(toolbox):
    # JSON of empty objects takes the most memory per byte.
    body = b'{"run_id": "0", "metrics": [' + b",".join([b"{}"] * (10 * MB // 3 - 20)) + b"]}"
    before = workers(toolbox)
    with ThreadPoolExecutor(2) as pool:
        requests = [pool.submit(toolbox.post, f"{API}runs/log-batch", body, timeout=300) for _ in range(2)]
    assert [it.result()[0] for it in requests] == [400] * 2
    assert workers(toolbox).keys() == before.keys()
    assert answers(toolbox)


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("", bytes)],
    ids=["gzip", "deflate", "uncompressed"],
)
def test_a_trace_is_accepted_compressed_or_not(toolbox, encoding, compress):
    trace, span = secrets.token_hex(16), {"spanId": secrets.token_hex(8), "name": "step", "kind": 1}
    times = {"startTimeUnixNano": "1000000", "endTimeUnixNano": "2000000"}
    text = {"key": "mlflow.spanInputs", "value": {"stringValue": json.dumps("x" * 5 * MB)}}
    spans = [span | times | {"traceId": trace, "attributes": [text]}]
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    sent = TRACES | {"Content_Type": "application/json", "Content_Encoding": encoding}
    assert toolbox.post("/v1/traces", compress(body), **sent)[0] == 200
    stored = f"SELECT length(content) > {5 * MB} FROM spans WHERE trace_id = 'tr-{trace}'"
    assert toolbox.sql("analyst", "mlflow", stored) == [(True,)]


def test_an_invalid_trace_is_rejected(toolbox):
    assert toolbox.post("/api/3.0/mlflow/traces", {"trace": 1})[0] == 400
    assert answers(toolbox)


# As unmodified MLflow; nothing is stored.
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{API}experiments/create", b"[]"),
        (f"{API}experiments/create", b'"name"'),
        (f"{API}experiments/create", b"1"),
        (f"{API}experiments/create", b'{"name":' * DEEP + b"1" + b"}" * DEEP),
        (f"{API}runs/log-batch", b'{"metrics":' + b"[" * DEEP + b"]" * DEEP + b"}"),
        (f"{API}runs/log-batch", {"run_id": "0", "metrics": ["not", "a", "metric"]}),
        ("/graphql", {"query": "{"}),
        ("/graphql", {}),
    ],
    ids=[
        "a list",
        "a string",
        "a number",
        "deeply nested objects",
        "deeply nested lists",
        "words as metrics",
        "broken GraphQL",
        "empty GraphQL",
    ],
)
def test_a_request_that_mlflow_cannot_handle_is_an_error_and_the_server_survives(toolbox, path, body):
    assert toolbox.post(path, body, timeout=120)[0] == 500
    assert answers(toolbox)


NUL = "null\0byte"
DATASET = {"name": "n", "digest": "d", "source_type": "s", "source": "s"}
TRACE = {
    "trace_id": "tr-" + secrets.token_hex(16),
    "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}},
    "request_time": "2026-11-28T00:00:00Z",
    "state": "OK",
}


# Unmodified MLflow responds with 500, on which its clients retry for four minutes.
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{API}runs/log-parameter", {"key": "nul", "value": NUL}),
        (f"{API}runs/log-batch", {"params": pairs(1, NUL)}),
        (f"{API}runs/log-batch", {"tags": pairs(1, NUL)}),
        (f"{API}runs/set-tag", {"key": "mlflow.note.content", "value": NUL}),
        (f"{API}runs/update", {"run_name": NUL}),
        (f"{API}runs/create", {"experiment_id": "0", "run_name": NUL}),
        (f"{API}runs/search", {"experiment_ids": ["0"], "filter": f"params.a = '{NUL}'"}),
        (f"{API}runs/log-inputs", {"datasets": [{"dataset": DATASET | {"profile": NUL}}]}),
        (f"{API}experiments/create", {"name": NUL}),
        (f"{API}experiments/set-experiment-tag", {"experiment_id": "0", "key": "a", "value": NUL}),
        (f"{API}registered-models/create", {"name": NUL}),
        (f"{API}registered-models/create", {"name": "nul", "description": NUL}),
        (f"{API}logged-models", {"experiment_id": "0", "name": "nul", "params": pairs(1, NUL)}),
        ("/api/3.0/mlflow/traces", {"trace": {"trace_info": TRACE | {"tags": {"a": NUL}}}}),
        ("/api/3.0/mlflow/datasets/create", {"name": NUL, "experiment_ids": ["0"]}),
    ],
)
@pytest.mark.parametrize("api", ["api", "ajax-api"])
def test_text_with_a_nul_is_rejected_with_the_reason(toolbox, run, api, path, body):
    before = rows(toolbox, run)
    body = {"run_id": run} | body if path.startswith(f"{API}runs/") else body
    status, answer = toolbox.post(path.replace("/api/", f"/{api}/"), body)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "NUL" in answer["message"]
    assert rows(toolbox, run) == before


@pytest.mark.parametrize(("api", "answer", "kept"), [("api", 200, 8000), ("ajax-api", 400, 0)])
def test_a_description_that_is_too_long_is_rejected_from_a_page_and_truncated_from_a_program(
    toolbox, run, api, answer, kept
):
    tag = {"run_id": run, "key": f"mlflow.note.{api}", "value": "x" * 30_000}
    assert toolbox.post(f"/{api}/2.0/mlflow/runs/set-tag", tag)[0] == answer
    lengths = f"SELECT length(value) FROM tags WHERE run_uuid = '{run}' AND key = '{tag['key']}'"
    assert toolbox.sql("analyst", "mlflow", lengths) == ([(kept,)] if kept else [])


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_mlflow_accepts_only_json(toolbox, kind):
    # The content types that a form of a foreign page can send.
    assert toolbox.post(f"{API}experiments/create", {"name": f"sent as {kind}"}, Content_Type=kind)[0] == 400


@pytest.mark.parametrize("claim", [{}, {"X_Forwarded_For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}], ids=str)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "message"), ("PUT", "config"), ("POST", "skills/install"), ("GET", "providers/ollama/health")],
)
def test_the_assistant_which_can_run_programs_is_disabled(toolbox, method, path, claim):
    body = None if method == "GET" else {"message": "run id", "type": "global"}
    status, answer = toolbox.post(f"/ajax-api/3.0/mlflow/assistant/{path}", body, method, **claim)
    assert status == 403
    assert "only accessible from the same host" in answer["detail"]


def test_no_job_can_be_started_over_the_api(toolbox):
    status, answer = toolbox.post("/ajax-api/3.0/jobs/", {"job_name": "optimize_prompts", "params": {}})
    assert status >= 400
    assert "not enabled" in answer["detail"]


# --- Deleting ---


def test_the_default_experiment_cannot_be_deleted(toolbox):
    for api in (API, API.replace("/api/", "/ajax-api/")):
        status, answer = toolbox.post(f"{api}experiments/delete", {"experiment_id": "0"})
        assert status == 400
        assert "Default cannot be deleted" in answer["message"]
    status, answer = toolbox.post(f"{API}runs/create", {"experiment_id": "0"})
    assert status == 200
    toolbox.post(f"{API}runs/delete", {"run_id": answer["run"]["info"]["run_id"]})


def test_the_documented_commands_restore_a_deleted_experiment(toolbox):
    name = f"deleted {secrets.token_hex(4)}"
    experiment = toolbox.post(f"{API}experiments/create", {"name": name})[1]["experiment_id"]
    toolbox.post(f"{API}experiments/delete", {"experiment_id": experiment})
    search, restore = "mlflow experiments search --view deleted_only", "mlflow experiments restore --experiment-id"
    documented = (ROOT / "docs" / "data.md").read_text()
    assert search in documented
    assert restore in documented
    notebook = toolbox.host("notebook")
    [listed] = [line.split()[0] for line in notebook.check_output(search).splitlines() if name in line]
    notebook.check_output(f"{restore} {listed}")
    found = f"SELECT lifecycle_stage FROM experiments WHERE experiment_id = {experiment}"
    assert toolbox.sql("analyst", "mlflow", found) == [("active",)]
