"""A hundred clients log concurrently for a minute: no request fails, and all data is in the database."""

import pytest

from tests.support import written

pytestmark = pytest.mark.stack

CLIENTS = 100
SECONDS = 60


def test_no_request_of_a_hundred_clients_fails_or_gets_lost(toolbox, record):
    logged = toolbox.in_notebook("log_http.py", "http://mlflow:5000", str(CLIENTS), str(SECONDS), "/nonexistent")
    acknowledged, found = written.acknowledged(logged), written.stored(toolbox, logged)
    record(
        f"{CLIENTS} clients for {logged['seconds']:.0f} s: {len(acknowledged)} acknowledged, {len(found)} found, "
        f"{logged['failed']} calls failed, {len(acknowledged) / logged['seconds']:.0f} per second, "
        f"median {logged['median']:.2f} s, p99 {logged['p99']:.2f} s, slowest {logged['slowest']:.2f} s"
    )
    assert logged["failures"] == []
    assert found == acknowledged
