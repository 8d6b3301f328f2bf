"""toolbox.settings: validation of the settings before anything runs."""

import pytest

import tasks
from tests.support.layers import ROOT, changing_commands, docker, error_line, fake_toolbox, user_env
from toolbox import diagnostics, dotenv, settings
from toolbox.errors import Failure

DEFAULTS = dotenv.defaults((ROOT / ".env.example").read_text())
WRONG = {
    "COMPOSE_PROJECT_NAME": ["Box", "a b", "-a", "é", "x" * 64],
    "PAGE_HOST": ["a:80", "http://a", "a b", ".a"],
    "TZ": ["Asia/", "../etc/passwd", "Asia/Tokyo x", ":UTC"],
    "NOTEBOOK_PORT": ["0", "70000", "-1", "abc", "8000-8010", "1:2", "80/udp", " 80"],
    "MLFLOW_PORT": ["65536"],
    "POSTGRES_PORT": ["5432.0"],
    "WORK_FOLDER": ["/a:b", "/data:ro", "x", "my data"],
    "NOTEBOOK_UID": ["0", "-1", "jovyan", "1000:0", "99999999999"],
    "NOTEBOOK_MEMORY": ["2 g", "2x", "-1g", "1e9", "6m", "1", "4,5g", "g", "no"],
    "MLFLOW_MEMORY": ["2 g", "2 GB", "255m"],
    "POSTGRES_MEMORY": ["63m"],
    "NOTEBOOK_CPUS": ["64", "-1", "abc", "1,5", "nan", "inf", "0.001", "1e0"],
    "MLFLOW_CPUS": ["2.1"],
    "POSTGRES_CPUS": ["two"],
    "MLFLOW_ENABLE_ASYNC_LOGGING": ["yes", "on", "truee"],
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": ["yes"],
    "SAFE_MODEL_FORMATS": ["no"],
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": ["off"],
    "POSTGRES_IDLE_TRANSACTIONS": ["3600", "1 h", "1m", "-1h", "soon"],
    "NOTEBOOK_BASE_IMAGE": ["a/Case", "a b", "x:", "x@sha256:1", "https://x/y", "-x"],
    "MLFLOW_BASE_IMAGE": ["python:3.13 slim"],
    "POSTGRES_BASE_IMAGE": [":17"],
    "MLFLOW_EXTRA_ALLOWED_HOSTS": ["*", "*.example.org", "http://a.example", "a.example/x", "a b", "a,,b", "a,", "a:b"],
    "MLFLOW_WORKERS": ["abc", "0", "-1", "1.5", "100", "²"],
    "MLFLOW_EXPOSE_PROMETHEUS": ["true", "metrics"],
    "DB_STORE": ["a/b", "../x", "é", "-x", "a b"],
}
RIGHT = {
    "COMPOSE_PROJECT_NAME": ["a", "0-b_c"],
    "PAGE_HOST": ["mine.localhost", "a_b.localhost", "toolbox.example.org"],
    "POSTGRES_IDLE_TRANSACTIONS": ["30s", "10min", "1h", "7d"],
    "TZ": ["Asia/Tokyo", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "Etc/GMT+5"],
    "NOTEBOOK_PORT": ["1", "65535"],
    "WORK_FOLDER": ["~", "./x", "/a b,c;d", "~/projects/churn"],
    "NOTEBOOK_UID": ["1", "1000", "2147483647"],
    "NOTEBOOK_MEMORY": ["192m", "1.5g", "4gb", "4G", "4294967296", "0"],
    "NOTEBOOK_CPUS": ["0", "0.5", "2", "2.0", "0.0"],
    "SAFE_MODEL_FORMATS": ["true", "False", "TRUE"],
    "NOTEBOOK_BASE_IMAGE": [
        "postgres",
        "localhost/data-toolbox/python:3.13",
        "registry.example.org:5000/a/b-c__d:v1.0_x",
        f"quay.io/a@sha256:{'0' * 64}",
    ],
    "MLFLOW_EXTRA_ALLOWED_HOSTS": [
        "a.example",
        "a.example:5000,b.example:80",
        "a, b",
        "192.168.1.2:5000",
        "[::1]:5000",
    ],
    "MLFLOW_WORKERS": ["1", "32"],
    "MLFLOW_EXPOSE_PROMETHEUS": ["/tmp/metrics"],
    "DB_STORE": ["db-store-18"],
}


def pairs(table):
    return [(name, value) for name, found in table.items() for value in found]


@pytest.mark.parametrize(("name", "value"), pairs(WRONG))
def test_an_invalid_value_is_found_with_its_setting_and_a_remedy(name, value):
    [problem] = settings.problems({name: value}, cpus=2)
    assert problem.startswith(f'{name} is "{" ".join(value.split())}": ')
    assert "\n" not in problem


@pytest.mark.parametrize(("name", "value"), [*pairs(RIGHT), *DEFAULTS.items(), ("MLFLOW_WORKERS", "${WORKERS}")])
def test_a_valid_value_is_accepted(name, value):
    assert list(settings.problems({name: value}, cpus=2)) == []


def test_every_setting_is_either_checked_or_exempt():
    assert settings.CHECKS.keys() | settings.NOT_CHECKED == DEFAULTS.keys()
    assert WRONG.keys() == settings.CHECKS.keys()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("MLFLOW_WORKERS=abc", 'MLFLOW_WORKERS is "abc": use a whole number from 1 to 32.'),
        ('MLFLOW_MEMORY="2 g"', 'MLFLOW_MEMORY is "2 g": use a number and a unit without a space'),
        ("NOTEBOOK_CPUS=64", 'NOTEBOOK_CPUS is "64": use 0 for all, or a number from 0.1 to 2, the number of CPUs.'),
    ],
)
@pytest.mark.parametrize("task", [tasks.up, tasks.upgrade])
def test_a_start_refuses_an_invalid_setting_and_doctor_finds_it(tmp_path, monkeypatch, task, line, problem):
    user_env(tmp_path, monkeypatch).write_text(f"{line}\n")
    c = fake_toolbox({"docker info": "2\n"})
    with pytest.raises(Failure) as raised:
        task(c.context)
    assert problem in error_line(raised)
    assert changing_commands(c) == []
    assert [problem in finding.text for finding in diagnostics.examine(c) if finding.check == "settings"] == [True]


def test_a_new_toolbox_that_would_inherit_an_invalid_setting_is_not_created(tmp_path, monkeypatch):
    env = user_env(tmp_path, monkeypatch)
    env.write_text("MLFLOW_WORKERS=abc\n")
    with pytest.raises(Failure) as raised:
        tasks.up(docker(), name="alice")
    assert 'MLFLOW_WORKERS is "abc"' in error_line(raised)
    assert [path for path in tmp_path.iterdir() if not path.is_symlink()] == [env]


def test_settings_in_the_environment_are_checked(tmp_path, monkeypatch):
    user_env(tmp_path, monkeypatch).write_text("MLFLOW_WORKERS=2\n")
    monkeypatch.setenv("MLFLOW_WORKERS", "abc")
    assert settings.found(fake_toolbox()) == ['MLFLOW_WORKERS is "abc": use a whole number from 1 to 32.']
