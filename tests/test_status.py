"""toolbox.status: what `invoke status` shows of each service."""

import json

import pytest
from layers import HEALTHY, SECRETS, a_users_env, configuration, docker, listed

import tasks
from toolbox import status

ANSWERS = {
    "docker compose ps": HEALTHY,
    "docker stats": "\n".join(
        json.dumps({"ID": f"id-{service}-and-more", "MemUsage": "251.5MiB / 2GiB"})
        for service in ("postgres", "mlflow", "notebook")
    ),
    "docker compose exec --no-TTY postgres psql": "psql (PostgreSQL) 17.12 (Debian)\n",
    "docker compose exec --no-TTY mlflow head": "3.17.2 dc11669786a5 0123\n",
    "docker compose exec --no-TTY notebook python": "4.6.6\n",
    "docker compose exec --no-TTY [a-z]+ du": "74\t/var/lib\n",
    "docker inspect --format '{{.State.StartedAt}}'": "2026-11-25T00:37:04.835731535Z\n",
    "docker inspect": "mirror/python:3.13\n",
}


@pytest.fixture(autouse=True)
def _env(tmp_path, monkeypatch):
    a_users_env(tmp_path, monkeypatch)
    monkeypatch.setenv("TZ", "UTC")


def shown(capsys, answers, **options):
    """Return what the task prints."""
    tasks.status(docker(answers, configuration(ports=(5432, 5000, 8888))), **options)
    return capsys.readouterr().out


def cells(printed):
    """Return the rows of a table without its titles, as lists of cells."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in printed.splitlines()[1:]]


def test_each_service_has_a_row_with_all_that_is_known(capsys):
    took, volume = "251 of 2,048 MiB", "75.8 kB"
    rows = cells(shown(capsys, ANSWERS))
    assert [row[:3] + row[4:] for row in rows] == [
        ["postgres", "running", "healthy", "127.0.0.1:5432", "Postgres 17.12", took, volume],
        ["mlflow", "running", "healthy", "http://127.0.0.1:5000", "MLflow 3.17.2", took, volume],
        ["notebook", "running", "healthy", "http://127.0.0.1:8888", "JupyterLab 4.6.6", took, volume],
    ]
    assert {row[3][:8] for row in rows} == {"2026-11-"}


def test_what_does_not_run_has_a_row_too(capsys):
    answers = ANSWERS | {
        "docker compose ps": listed(postgres="exited 1", mlflow="running starting"),
        "docker stats": "",
    }
    rows = cells(shown(capsys, answers))
    assert rows[0] == ["postgres", "exited", "-", "-", "127.0.0.1:5432", "-", "-", "-"]
    assert rows[1][:3] == ["mlflow", "running", "starting"]
    assert rows[2] == ["notebook", "down", "-", "-", "http://127.0.0.1:8888", "-", "-", "-"]


def test_programs_get_the_numbers(capsys):
    services = json.loads(shown(capsys, ANSWERS, json=True))
    assert services[1] == {
        "service": "mlflow",
        "state": "running",
        "health": "healthy",
        "since": "2026-11-25T00:37:04.835731535Z",
        "address": "http://127.0.0.1:5000",
        "program": "MLflow",
        "version": "3.17.2",
        "memory_bytes": int(251.5 * 1024**2),
        "memory_limit_bytes": 2 * 1024**3,
        "volume_bytes": 74 * 1024,
        "base_image": "mirror/python:3.13",
    }


@pytest.mark.parametrize("json", [False, True])
def test_no_secret_is_shown(capsys, json):
    printed = shown(capsys, ANSWERS, json=json)
    assert [secret for secret in SECRETS.values() if secret in printed] == []


def test_a_folder_of_the_machine_does_not_count_as_the_volumes(capsys):
    config = configuration()
    config["services"]["notebook"]["volumes"] = [{"type": "bind", "source": "/mine", "target": "/home/jovyan/work"}]
    answers = {"docker compose exec --no-TTY notebook du -sk /home/jovyan/work": "70\t/home\n"} | ANSWERS
    tasks.status(docker(answers, config), json=True)
    assert json.loads(capsys.readouterr().out)[2]["volume_bytes"] == 4 * 1024


@pytest.mark.parametrize(
    ("said", "both"),
    [
        ("512KiB / 1MiB", (524288, 1048576)),
        ("251.1MiB / 2GiB", (263297433, 2147483648)),
        ("0B / 0B", (0, 0)),
        ("1.5GiB / 1TiB", (1610612736, 1 << 40)),
    ],
)
def test_dockers_sizes_are_understood(said, both):
    assert status.in_bytes(said) == both
