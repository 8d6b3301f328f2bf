"""toolbox.diagnostics: what `invoke doctor` finds, with and without problems."""

import json

import pytest
from invoke import Exit, Result

import tasks
from tests.support.layers import (
    HEALTHY,
    OFFICIAL,
    ROOT,
    SECRETS,
    changing_commands,
    commands,
    configuration,
    docker,
    docker_compose,
    fake_toolbox,
    listed,
    user_env,
)
from toolbox import compose, diagnostics, dotenv, instance, ports
from toolbox.errors import Failure

KNOWN = diagnostics.known_variables((ROOT / "docker-compose.yml").read_text(), (ROOT / ".env.example").read_text())
VALID = "".join(f"{name}={value}\n" for name, value in SECRETS.items())
NO_ENGINE = {"docker version": Result("", "Cannot connect to the Docker daemon", exited=1)}


def levels(findings):
    """Return the levels of findings, of which each that is not ok must name a remedy."""
    findings = list(findings)
    assert all("\n" not in text and (level == "ok" or ":" in text) for level, text in findings)
    return [level for level, _ in findings]


def text(findings):
    """Return the text of the only finding."""
    [(_, text)] = findings
    return text


@pytest.fixture
def env(tmp_path, monkeypatch):
    """A valid .env."""
    path = user_env(tmp_path, monkeypatch)
    dotenv.write(path, VALID)
    return path


def examined(c):
    """Return the findings of all checks, by check, as lists of (level, text)."""
    found = {}
    for finding in diagnostics.examine(instance.Toolbox(c)):
        found.setdefault(finding.check, []).append((finding.level, finding.text))
    return found


# --- The list of checks ---


def test_a_finding_is_one_line_that_begins_with_its_level():
    assert str(diagnostics.Finding("ok", "disk", "space")).split() == ["ok", "disk", "space"]
    assert str(diagnostics.Finding("FAIL", "disk", "full")).startswith("FAIL  disk ")


@pytest.mark.parametrize(
    ("levels", "fails"), [(["ok"], False), (["ok", "warn"], False), (["ok", "FAIL", "warn"], True)], ids=str
)
def test_only_a_failed_check_makes_the_task_fail(monkeypatch, capsys, levels, fails):
    findings = [diagnostics.Finding(level, "disk", "…") for level in levels]
    monkeypatch.setattr(diagnostics, "examine", lambda c: findings)
    code = 0
    try:
        tasks.doctor(docker())
    except Exit as end:
        code = end.code
    assert code == (1 if fails else 0)
    # A line for each, and a sentence after a blank line.
    *lines, blank, sentence = capsys.readouterr().out.splitlines()
    assert (len(lines), blank) == (len(levels), "")
    assert sentence == diagnostics.conclusion(findings)


@pytest.mark.parametrize(
    ("levels", "sentence"),
    [
        (["ok", "ok"], "All is well."),
        (["ok", "warn"], "No problem, but 1 warning: see check-1."),
        (["warn", "FAIL", "FAIL"], "2 problems: begin with the first FAIL, check-1."),
    ],
    ids=["ok", "warned", "failed"],
)
def test_the_last_line_says_where_to_begin(levels, sentence):
    findings = [diagnostics.Finding(level, f"check-{number}", "…") for number, level in enumerate(levels)]
    assert diagnostics.conclusion(findings) == sentence


def test_without_an_engine_only_checks_that_need_none_are_run(env):
    found = examined(docker(NO_ENGINE))
    assert list(found) == [".env", "cloud", "engine"]
    assert found[".env"][0][0] == "ok"
    assert found["engine"][0][0] == "FAIL"


def test_a_toolbox_that_is_down_has_only_warnings(env):
    found = examined(docker())
    assert {level for entry in found.values() for level, _ in entry} == {"ok", "warn"}
    assert "invoke up" in found["services"][0][1]


def test_without_an_env_everything_is_checked(env):
    env.unlink()
    found = examined(docker())
    assert found[".env"] == [("ok", "not present: all settings have their defaults")]
    assert found["settings"][0][0] == found["ports"][0][0] == "ok"


def test_a_configuration_that_cannot_be_read_is_the_last_finding(env):
    found = examined(docker({"docker compose config": Result("", "no such file", exited=1)}))
    assert list(found)[-1] == "settings"
    assert found["settings"][0][0] == "FAIL"


def test_data_of_another_clone_are_the_last_finding(env, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "docker-compose.yml").touch()
    owner = {"docker volume ls": "box_db-store", "docker volume inspect --format .*folder": str(other)}
    found = examined(docker(owner))
    assert list(found)[-1] == "settings"
    assert f"the data of box belong to the toolbox in {other}" in text(found["settings"])


def test_an_exception_in_a_check_is_a_finding_and_the_other_checks_run(monkeypatch, env):
    def broken(it):
        raise ValueError(SECRETS["JUPYTER_TOKEN"])

    monkeypatch.setattr(diagnostics, "CHECKS", {"broken": broken} | diagnostics.CHECKS)
    found = examined(docker())
    assert found["broken"] == [("FAIL", "cannot be checked (ValueError): look at the other lines.")]
    assert found["engine"][0][0] == "ok"


@pytest.mark.parametrize("answers", [{}, NO_ENGINE], ids=["down", "no engine"])
def test_doctor_changes_nothing_and_shows_no_secret_in_findings_or_commands(env, answers):
    before = env.read_bytes()
    c = docker(answers)
    printed = str(examined(c)) + str(commands(c))
    assert changing_commands(c) == []
    assert env.read_bytes() == before
    assert [path.name for path in env.parent.iterdir() if not path.is_symlink()] == [".env"]
    assert [secret for secret in SECRETS.values() if secret in printed] == []


def test_the_versions_are_found(env):
    versions = {"docker buildx version": Result("github.com/docker/buildx 0.13.1+ds1 x\n")}
    assert examined(docker(versions))["engine"] == [("ok", "Docker Engine 28.2.2, Compose 2.26.1, buildx 0.13.1")]
    assert text(examined(docker())["engine"]).endswith("buildx of unknown version")


# --- .env ---


def test_an_env_that_only_its_owner_can_read_with_known_variables_is_ok(env):
    assert examined(docker(NO_ENGINE))[".env"] == [("ok", "mode 0600, 3 variables")]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o777])
def test_secrets_that_others_can_read_are_a_problem(mode):
    assert levels(diagnostics.env_found({"MLFLOW_WORKERS": "2", "JUPYTER_TOKEN": ""}, mode, KNOWN)) == []
    found = list(diagnostics.env_found({"JUPYTER_TOKEN": "x"}, mode, KNOWN))
    assert levels(found) == ["FAIL"]
    assert f"mode {mode:04o}" in text(found)
    assert "chmod 600 .env" in text(found)


def test_the_mode_of_the_env_is_checked(env):
    env.chmod(0o644)
    assert [level for level, text in examined(docker(NO_ENGINE))[".env"] if "mode 0644" in text] == ["FAIL"]


def test_a_role_that_cannot_log_in_is_found(env):
    c = docker({"docker compose ps": HEALTHY, "docker compose exec --no-TTY postgres sh -c": "analyst\n"})
    assert examined(c)["passwords"] == [
        ("FAIL", 'the database rejects the password of analyst: "invoke up" sets it again.')
    ]


@pytest.mark.parametrize("name", ["MLFLOW_WORKER", "compose_project_name", "POSTGRES_PASSWORD"])
def test_a_variable_that_nothing_reads_is_a_warning(name):
    found = list(diagnostics.env_found({name: "a secret"}, 0o600, KNOWN))
    assert levels(found) == ["warn"]
    assert text(found) == f"{name} is set, but nothing reads it: correct its name, or remove the line."


def test_every_variable_of_env_example_is_known():
    example = (ROOT / ".env.example").read_text().replace("\n#", "\n")
    names = [name for name in dotenv.values(example) if name.isupper()]
    assert len(names) > 20
    assert levels(diagnostics.env_found(dict.fromkeys([*names, "COMPOSE_FILE"], "1"), 0o600, KNOWN)) == []


@pytest.mark.parametrize("line", ['POSTGRES_PASSWORD="hidden', "POSTGRES_PASSWORD 'hidden'", "hidden 1=2"])
def test_a_line_of_the_env_that_cannot_be_read_is_reported_but_not_quoted(line):
    with pytest.raises(Failure) as raised:
        compose.load(lambda *words: docker_compose(*words[2:], env_file=f"A=1\n{line}\n"))
    assert "of .env" in str(raised.value.message)
    assert "hidden" not in str(raised.value.message)


# --- The services ---


def test_healthy_services_are_ok():
    healthy = compose.containers(listed(**dict.fromkeys(compose.SERVICES, "running healthy")))
    assert levels(diagnostics.services_found(healthy)) == ["ok"]


@pytest.mark.parametrize(
    ("state", "level"),
    [("exited", "FAIL"), ("running unhealthy", "FAIL"), ("paused", "FAIL"), ("running starting", "warn")],
)
def test_a_service_that_is_not_healthy_is_found(state, level):
    found = list(diagnostics.services_found(compose.containers(listed(postgres="running healthy", mlflow=state))))
    assert levels(found) == [level, "FAIL"]
    assert found[0][1].startswith("mlflow ")
    assert "(down)" in found[1][1]


def test_a_failed_migration_is_found():
    running = dict.fromkeys(compose.SERVICES, "running healthy")
    found = list(diagnostics.services_found(compose.containers(listed(**running, migrate="exited 1"))))
    assert levels(found) == ["FAIL"]
    assert "invoke logs --service migrate" in text(found)


def test_services_that_are_all_down_are_a_warning():
    assert levels(diagnostics.services_found({})) == ["warn"]


def test_ports_that_are_free_or_of_this_toolbox_are_ok(env):
    config = configuration()
    taken = {compose.address(config, "mlflow")[1]}
    container = {
        "Service": "mlflow",
        "ID": "1",
        "State": "exited",
        "Publishers": [{"PublishedPort": next(iter(taken))}],
    }
    [(level, text)] = examined(docker({"docker compose ps": json.dumps(container)}, config))["ports"]
    assert (level, text.count("is ours"), text.count("is free")) == ("ok", 1, 2)


def test_a_port_of_another_program_is_a_failure(env, monkeypatch):
    monkeypatch.setattr(ports, "is_taken", lambda host, port: True)
    [(level, text)] = examined(docker())["ports"]
    assert level == "FAIL"
    assert "set POSTGRES_PORT in .env" in text


def test_publishing_beyond_this_machine_is_a_warning(env, monkeypatch):
    config = configuration()
    for service in compose.SERVICES:
        config["services"][service]["ports"][0]["host_ip"] = "0.0.0.0"
    found = examined(docker(config=config))["ports"]
    assert found[0][0] == "warn"
    assert "BIND_ADDRESS=0.0.0.0" in found[0][1]


def test_a_container_on_another_base_image_than_the_set_one_is_a_warning():
    assert levels(diagnostics.images_found(configuration(), OFFICIAL)) == ["ok"]
    found = list(diagnostics.images_found(configuration(), OFFICIAL | {"postgres": "mirror/postgres"}))
    assert levels(found) == ["warn"]
    assert "invoke up" in text(found)


# --- The volumes ---


def test_every_volume_of_the_compose_file_is_checked():
    config = json.loads(docker_compose("config", "--format", "json").stdout)
    mounts = diagnostics.mounts(config)
    assert mounts.keys() == {volume["name"] for volume in config["volumes"].values()}
    assert [folder for service, folder in mounts.values() if service == "notebook"] == ["/home/jovyan"]
    assert {service for volume, (service, _) in mounts.items() if "-secrets" in volume} == {"secrets"}


def test_the_check_of_a_volume_can_only_read_it():
    command = " ".join(diagnostics.probe("box_db-store", "/data", "box-postgres", None))
    for word in ("--rm", "--read-only", "readonly,volume-nocopy", "--network none", "--cap-drop ALL", "--pull never"):
        assert word in command


def examined_volume(printed, **answers):
    """Return the findings about a volume for the output of the container that inspects it."""
    config = configuration()
    config["services"]["postgres"]["volumes"] = [{"type": "volume", "source": "db-store", "target": "/data"}]
    usual = {"docker (volume|image) inspect": True, "docker run": printed}
    return examined(docker(answers | usual, config))


def test_a_volume_of_the_user_of_its_service_is_ok(env):
    assert examined_volume(Result("70\n70\n90000000\n"))["volumes"] == [("ok", "92.2 GB free for the volumes")]


def test_a_volume_of_another_user_is_a_failure_with_a_command_as_the_remedy(env):
    [(level, text), _] = examined_volume(Result("0\n70\n90000000\n"))["volumes"]
    assert level == "FAIL"
    assert "belongs to user 0, but postgres runs as 70" in text
    assert "chown box-postgres -R 70 /data" in text


def test_a_volume_that_cannot_be_inspected_is_a_failure(env):
    assert levels(examined_volume(Result("", "docker: Error", exited=125))["volumes"]) == ["FAIL"]


def test_a_volume_that_does_not_exist_is_not_created(env):
    config = configuration()
    config["services"]["postgres"]["volumes"] = [{"type": "volume", "source": "db-store", "target": "/data"}]
    c = docker(config=config)
    assert "volumes" not in examined(c)
    assert [command for command in commands(c) if command.startswith("docker run")] == []


def test_little_free_space_is_a_warning_with_the_limit():
    assert levels([diagnostics.disk_found(5_000_000_000)]) == ["ok"]
    found = [diagnostics.disk_found(4_999_999_999)]
    assert levels(found) == ["warn"]
    assert "less than 5.0 GB" in text(found)


# --- The cloud ---

RULE = "-N DOCKER-USER\n-A DOCKER-USER -d 169.254.169.254/32 -j REJECT --reject-with icmp-port-unreachable\n"


@pytest.mark.parametrize(
    ("firmware", "cloud"),
    [
        ("Amazon EC2 m7i.large Amazon EC2", "Amazon"),
        ("Google Google Compute Engine", "Google"),
        ("Microsoft Corporation Virtual Machine 7783-7084-3265-9085-8269-3286-77", "Azure"),
        ("Microsoft Corporation Surface Laptop 7", None),
        ("Google Eve", None),
        ("LENOVO 21CB", None),
        ("", None),
    ],
)
def test_a_machine_of_a_cloud_is_recognized_by_its_firmware(firmware, cloud):
    assert diagnostics.cloud_of(firmware) == cloud


@pytest.mark.parametrize(("rules", "level"), [("", "warn"), ("-N DOCKER-USER\n", "warn"), (RULE, "ok")])
def test_access_of_notebooks_to_credentials_of_the_cloud_is_a_warning(tmp_path, monkeypatch, rules, level):
    (tmp_path / "sys_vendor").write_text("Amazon EC2\n")
    monkeypatch.setattr(diagnostics, "DMI", tmp_path)
    [(found, text)] = diagnostics.check_cloud(fake_toolbox({"iptables --list-rules DOCKER-USER": rules}))
    assert found == level
    assert ("from Amazon, at 169.254.169.254:" in text and "docs/security.md" in text) == (level == "warn")
