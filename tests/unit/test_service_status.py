"""toolbox.service_status: what `invoke status` shows of each service."""

import json
from datetime import datetime, timezone

import pytest

import tasks
from tests.support.layers import HEALTHY, SECRETS, commands, configuration, docker, listed, user_env
from toolbox import console, service_status

PROBED = """\
memory 300000000
cache 36237312
killed 0
volume 74\t/var/lib
version 3.17.2 dc11669786a5 0123
"""
ANSWERS = {
    "docker compose ps": HEALTHY,
    "docker compose exec --no-TTY postgres": PROBED.replace(
        "version 3.17.2", "version psql (PostgreSQL) 17.12 (Debian)"
    ),
    "docker compose exec --no-TTY mlflow": PROBED,
    "docker compose exec --no-TTY notebook": PROBED.replace("3.17.2", "4.6.6"),
    "docker inspect": "2026-11-25T00:37:04.835731535Z 2147483648 mirror/python:3.13\n",
}


@pytest.fixture(autouse=True)
def _env(tmp_path, monkeypatch):
    user_env(tmp_path, monkeypatch)
    monkeypatch.setenv("TZ", "UTC")


def shown(capsys, answers, **options):
    """Return what the task prints."""
    tasks.status(docker(answers, configuration(ports=(5432, 5000, 8888))), **options)
    return capsys.readouterr().out


def cells(printed):
    """Return the rows of a table without its titles, as lists of cells."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in printed.splitlines()[1:]]


def test_each_service_has_a_row_with_all_values(capsys):
    rows = cells(shown(capsys, ANSWERS))
    assert [row[:2] + row[3:] for row in rows] == [
        ["postgres", "healthy", "127.0.0.1:5432", "17.12", "251/2048", "75.8 kB"],
        ["mlflow", "healthy", "http://127.0.0.1:5000", "3.17.2", "251/2048", "75.8 kB"],
        ["notebook", "healthy", "http://127.0.0.1:8888", "4.6.6", "251/2048", "75.8 kB"],
    ]


def test_a_service_that_is_not_running_has_a_row(capsys):
    answers = ANSWERS | {"docker compose ps": listed(postgres="exited 1", mlflow="running starting")}
    rows = cells(shown(capsys, answers))
    assert rows[0] == ["postgres", "exited", "-", "127.0.0.1:5432", "-", "-", "-"]
    assert rows[1][:2] == ["mlflow", "starting"]
    assert rows[2] == ["notebook", "down", "-", "http://127.0.0.1:8888", "-", "-", "-"]


def test_the_table_of_services_fits_80_columns(capsys):
    full = {"service": "postgres", "state": "running", "health": "unhealthy", "since": "2026-01-01T00:00:00Z"}
    full |= {"address": "http://127.0.0.1:55000", "version": "17.12.1", "memory_bytes": 9 << 30}
    full |= {"memory_limit_bytes": 10 << 30, "volume_bytes": 999_900_000}
    console.table(service_status.rows([full], datetime(2026, 11, 28, tzinfo=timezone.utc)))
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("since", "words"),
    [
        ("2026-11-28T11:59:55.123456789Z", "5s"),
        ("2026-11-28T11:48:00Z", "12m"),
        ("2026-11-28T09:00:00+00:00", "3h"),
        ("2026-07-31T12:00:00Z", "120d"),
        ("2026-11-28T13:00:00Z", "0s"),
    ],
    ids=["seconds", "minutes", "hours", "days", "a clock that is behind"],
)
def test_the_uptime_of_a_service_is_shown_in_one_unit(since, words):
    assert service_status.age(since, datetime(2026, 11, 28, 12, tzinfo=timezone.utc)) == words


def test_processes_killed_for_lack_of_memory_are_reported_below_the_table(capsys):
    assert "ran out of memory" not in shown(capsys, ANSWERS)
    killed = {"docker compose exec --no-TTY notebook": PROBED.replace("killed 0", "killed 2")}
    assert shown(capsys, ANSWERS | killed).endswith(
        "notebook: 2 processes were killed since its start because it ran out of memory: "
        "raise NOTEBOOK_MEMORY in .env.\n"
    )


def test_the_json_has_exact_numbers(capsys):
    services = json.loads(shown(capsys, ANSWERS, json=True))
    assert services[1] == {
        "service": "mlflow",
        "state": "running",
        "health": "healthy",
        "since": "2026-11-25T00:37:04.835731535Z",
        "address": "http://127.0.0.1:5000",
        "program": "MLflow",
        "version": "3.17.2",
        "memory_bytes": 300000000 - 36237312,
        "memory_limit_bytes": 2 * 1024**3,
        "killed_for_memory": 0,
        "volume_bytes": 74 * 1024,
        "base_image": "mirror/python:3.13",
    }


def test_the_table_has_the_host_for_browsers_and_the_json_the_address_for_programs(capsys):
    config = configuration(ports=(5432, 5000, 8888), host="alice.localhost")
    tasks.status(docker(ANSWERS, config))
    printed = capsys.readouterr().out
    assert [row[3] for row in cells(printed)] == [
        "127.0.0.1:5432",
        "http://alice.localhost:5000",
        "http://alice.localhost:8888",
    ]
    tasks.status(docker(ANSWERS, config), json=True)
    assert [it["address"] for it in json.loads(capsys.readouterr().out)] == [
        "127.0.0.1:5432",
        "http://127.0.0.1:5000",
        "http://127.0.0.1:8888",
    ]


@pytest.mark.parametrize("json", [False, True])
def test_the_status_shows_no_secret(capsys, json):
    printed = shown(capsys, ANSWERS, json=json)
    assert [secret for secret in SECRETS.values() if secret in printed] == []


def test_the_work_folder_is_not_part_of_the_size_of_the_volume(capsys):
    config = configuration()
    config["services"]["notebook"]["volumes"] = [{"type": "bind", "source": "/mine", "target": "/home/jovyan/work"}]
    answers = ANSWERS | {"docker compose exec --no-TTY notebook": PROBED + "mounted 70\t/home/jovyan/work\n"}
    c = docker(answers, config)
    tasks.status(c, json=True)
    assert "sh /home/jovyan /home/jovyan/work " in commands(c)[-1]
    assert json.loads(capsys.readouterr().out)[2]["volume_bytes"] == 4 * 1024


def test_values_that_a_container_does_not_print_are_missing():
    assert service_status.parse("memory \nsh: cannot open\nversion \n") == {}
