"""What `invoke doctor` finds: each thing when it is well, and when it is not, with the remedy."""

import json

import pytest
from invoke import Result
from layers import (
    HEALTHY,
    OFFICIAL,
    ROOT,
    SECRETS,
    a_users_env,
    commands,
    compose,
    configuration,
    docker,
    doings,
    listed,
)

import tasks
from toolbox import doctor, dotenv, model, ports
from toolbox.failure import Failure

KNOWN = doctor.known_variables((ROOT / "docker-compose.yml").read_text(), (ROOT / ".env.example").read_text())
WELL = "".join(f"{name}={value}\n" for name, value in SECRETS.items())
MOUNT = doctor.Mount("box_db-store", "postgres", "/data")
NO_ENGINE = {"docker version": Result("", "Cannot connect to the Docker daemon", exited=1)}


def levels(findings):
    """Return how findings are, without what they say; each that is not ok must name a remedy."""
    findings = list(findings)
    assert all("\n" not in text and (level == "ok" or ":" in text) for level, text in findings)
    return [level for level, _ in findings]


def text(findings):
    """Return what the only finding says."""
    [(_, said)] = findings
    return said


@pytest.fixture
def env(tmp_path, monkeypatch):
    """An .env that is well."""
    path = a_users_env(tmp_path, monkeypatch)
    dotenv.write(path, WELL)
    return path


def examined(c):
    """Return the findings of all checks, by what was looked at, as lists of (level, text)."""
    found = {}
    for finding in doctor.examine(c):
        found.setdefault(finding.check, []).append((finding.level, finding.text))
    return found


# --- The list of checks ---


def test_a_finding_is_one_line_that_begins_with_how_it_is():
    assert str(doctor.Finding("ok", "disk", "room")).split() == ["ok", "disk", "room"]
    assert str(doctor.Finding("FAIL", "disk", "full")).startswith("FAIL  disk ")


@pytest.mark.parametrize(
    ("levels", "fails"), [(["ok"], False), (["ok", "warn"], False), (["ok", "FAIL", "warn"], True)], ids=str
)
def test_only_a_failed_check_makes_the_task_fail(monkeypatch, capsys, levels, fails):
    findings = [doctor.Finding(level, "disk", "…") for level in levels]
    monkeypatch.setattr(doctor, "examine", lambda c: findings)
    code = 0
    try:
        tasks.doctor(docker())
    except tasks.Exit as end:
        code = end.code
    assert code == (1 if fails else 0)
    # A line for each, and a sentence after a blank line.
    *lines, blank, sentence = capsys.readouterr().out.splitlines()
    assert (len(lines), blank) == (len(levels), "")
    assert sentence == doctor.conclusion(findings)


@pytest.mark.parametrize(
    ("levels", "sentence"),
    [
        (["ok", "ok"], "All is well."),
        (["ok", "warn"], "No problem, but 1 warning: see check-1."),
        (["warn", "FAIL", "FAIL"], "2 problems: begin with the first FAIL, check-1."),
    ],
    ids=["well", "warned", "failed"],
)
def test_the_last_sentence_says_where_to_begin(levels, sentence):
    findings = [doctor.Finding(level, f"check-{number}", "…") for number, level in enumerate(levels)]
    assert doctor.conclusion(findings) == sentence


def test_without_an_engine_the_rest_is_said_to_be_left_out(env):
    found = examined(docker(NO_ENGINE))
    assert found.pop("engine")[0][0] == "FAIL"
    assert found.pop(".env")[0][0] == "ok"
    assert found.pop("cloud")[0][0] in ("ok", "warn")
    assert {name for name, _, _ in doctor.CHECKS} == {"engine", ".env", "cloud", *found}
    assert all(entry == [("warn", "not checked: Docker does not answer.")] for entry in found.values())


def test_a_toolbox_that_is_down_has_warnings_alone(env):
    found = examined(docker())
    assert {level for entry in found.values() for level, _ in entry} == {"ok", "warn"}
    assert "invoke up" in found["services"][0][1]
    assert found["passwords"] == [("warn", 'not checked: postgres is not running: "invoke up" starts it.')]


def test_without_env_all_is_checked(env):
    env.unlink()
    found = examined(docker())
    assert found[".env"] == [("ok", "there is none: all settings have their defaults")]
    assert found["settings"][0][0] == found["ports"][0][0] == "ok"


def test_a_configuration_that_cannot_be_read_leaves_out_the_rest(env):
    found = examined(docker({"docker compose config": Result("", "no such file", exited=1)}))
    assert found["settings"][0][0] == "FAIL"
    assert found["services"] == [("warn", "not checked: Docker Compose cannot read the configuration.")]


def test_a_mistake_in_a_check_is_a_finding_and_the_others_go_on(monkeypatch, env):
    def broken(patient):
        raise ValueError(SECRETS["JUPYTER_TOKEN"])

    monkeypatch.setattr(doctor, "CHECKS", [("broken", broken, ()), *doctor.CHECKS])
    found = examined(docker())
    assert found["broken"] == [("FAIL", "cannot be checked (ValueError): look at the other lines.")]
    assert found["engine"][0][0] == "ok"


@pytest.mark.parametrize("answers", [{}, NO_ENGINE], ids=["down", "no engine"])
def test_nothing_is_changed_and_no_secret_is_told_or_on_a_command_line(env, answers):
    before = env.read_bytes()
    c = docker(answers)
    said = str(examined(c)) + str(commands(c))
    assert doings(c) == []
    assert env.read_bytes() == before
    assert sorted(path.name for path in env.parent.iterdir()) == [".env"]
    assert [secret for secret in SECRETS.values() if secret in said] == []


def test_the_versions_are_told(env):
    answers = {"docker buildx version": Result("github.com/docker/buildx 0.13.1+ds1 x\n")}
    assert examined(docker(answers))["engine"] == [("ok", "Docker Engine 28.2.2, Compose 2.26.1, buildx 0.13.1")]
    assert doctor.dotted("?") == "of unknown version"


# --- .env ---


def test_an_env_that_is_well_is(env):
    assert examined(docker(NO_ENGINE))[".env"] == [("ok", "mode 0600, 3 variables, all of them known and set")]


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_mode_for_the_owner_alone_is_well(mode):
    assert levels(doctor.mode_problems(mode, SECRETS)) == []


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o777])
def test_a_mode_that_lets_others_read_secrets_is_not(mode):
    assert levels(doctor.mode_problems(mode, {"MLFLOW_WORKERS": "2", "JUPYTER_TOKEN": ""})) == []
    found = list(doctor.mode_problems(mode, {"JUPYTER_TOKEN": "x"}))
    assert levels(found) == ["FAIL"]
    assert f"mode {mode:04o}" in text(found)
    assert "chmod 600 .env" in text(found)


def test_the_mode_of_the_file_is_looked_at(env):
    env.chmod(0o644)
    assert [level for level, said in examined(docker(NO_ENGINE))[".env"] if "mode 0644" in said] == ["FAIL"]


def test_a_blank_variable_warns():
    assert "the one that was made" in text(doctor.blank_problems({"JUPYTER_TOKEN": " "}))
    assert levels(doctor.blank_problems({"MLFLOW_WORKERS": ""})) == ["warn"]
    assert levels(doctor.blank_problems({"JUPYTER_TOKEN": "x", "MLFLOW_WORKERS": "2"})) == []


def test_what_an_earlier_version_read_is_told_with_the_reason():
    found = list(doctor.unknown_problems({"POSTGRES_PASSWORD": "x"}, KNOWN))
    assert levels(found) == ["warn"]
    assert text(found) == "POSTGRES_PASSWORD is set, but the superuser has no password any more: take the line out."


def test_a_role_that_does_not_get_in_is_told(env):
    c = docker({"docker compose ps": HEALTHY, "docker compose exec --no-TTY postgres sh -c": "analyst\n"})
    assert examined(c)["passwords"] == [
        ("FAIL", 'the database does not take the password of analyst: "invoke up" sets it again.')
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MLFLOW_WORKER", "MLFLOW_WORKERS"),
        ("NOTEBOOK_PROT", "NOTEBOOK_PORT"),
        ("compose_project_name", "COMPOSE_PROJECT_NAME"),
        ("COMPOSE_PROJEKT_NAME", "COMPOSE_PROJECT_NAME"),
        ("ANALYST_DB_PASSWD", "ANALYST_DB_PASSWORD"),
    ],
)
def test_the_nearest_name_to_a_misspelt_one_is_told(name, meant):
    found = list(doctor.unknown_problems({name: "a secret"}, KNOWN))
    assert levels(found) == ["warn"]
    assert text(found) == f"{name} is set, but nothing reads it: {meant} may be meant."


def test_a_name_like_no_other_is_told_to_be_taken_out():
    assert (
        text(doctor.unknown_problems({"XYZZY": "1"}, KNOWN)) == "XYZZY is set, but nothing reads it: take the line out."
    )


def test_every_variable_that_env_example_explains_is_known():
    example = (ROOT / ".env.example").read_text().replace("\n#", "\n")
    names = [name for name in dotenv.values(example) if name.isupper()]
    assert len(names) > 20
    assert levels(doctor.unknown_problems(dict.fromkeys(names, "1"), KNOWN)) == []


@pytest.mark.parametrize("name", ["COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PARALLEL_LIMIT"])
def test_what_compose_itself_reads_is_known(name):
    assert levels(doctor.unknown_problems({name: "1"}, KNOWN)) == []


@pytest.mark.parametrize("line", ['POSTGRES_PASSWORD="hidden', "POSTGRES_PASSWORD 'hidden'", "hidden 1=2"])
def test_a_line_that_cannot_be_read_is_told_by_its_number_and_not_quoted(line):
    with pytest.raises(Failure) as raised:
        model.load(lambda arguments: compose(*arguments[2:], env_file=f"A=1\n{line}\n"))
    assert "of .env" in str(raised.value.message)
    assert "hidden" not in str(raised.value.message)


# --- The services ---


def test_services_are_well_when_all_are_healthy():
    healthy = model.containers(listed(**dict.fromkeys(model.SERVICES, "running healthy")))
    assert levels(doctor.services_found(healthy)) == ["ok"]


@pytest.mark.parametrize(
    ("state", "level"),
    [("exited", "FAIL"), ("running unhealthy", "FAIL"), ("paused", "FAIL"), ("running starting", "warn")],
)
def test_a_service_that_is_not_healthy_is_told(state, level):
    found = list(doctor.services_found(model.containers(listed(postgres="running healthy", mlflow=state))))
    assert levels(found) == [level, "FAIL"]
    assert found[0][1].startswith("mlflow ")
    assert "(down)" in found[1][1]


def test_a_migration_that_failed_is_told():
    running = dict.fromkeys(model.SERVICES, "running healthy")
    found = list(doctor.services_found(model.containers(listed(**running, migrate="exited 1"))))
    assert levels(found) == ["FAIL"]
    assert "invoke logs --service migrate" in text(found)


def test_nothing_running_is_no_failure():
    assert levels(doctor.services_found({})) == ["warn"]


def test_ports_are_ours_free_or_taken(env):
    config = configuration()
    taken = {model.address(config, "mlflow")[1]}
    container = {
        "Service": "mlflow",
        "ID": "1",
        "State": "exited",
        "Publishers": [{"PublishedPort": next(iter(taken))}],
    }
    [(level, said)] = examined(docker({"docker compose ps": json.dumps(container)}, config))["ports"]
    assert (level, said.count("is ours"), said.count("is free")) == ("ok", 1, 2)


def test_a_port_of_another_program_fails(env, monkeypatch):
    monkeypatch.setattr(ports, "is_taken", lambda host, port: True)
    [(level, said)] = examined(docker())["ports"]
    assert level == "FAIL"
    assert "set POSTGRES_PORT in .env" in said


def test_being_reachable_from_elsewhere_is_a_warning(env, monkeypatch):
    config = configuration()
    for service in model.SERVICES:
        config["services"][service]["ports"][0]["host_ip"] = "0.0.0.0"
    found = examined(docker(config=config))["ports"]
    assert found[0][0] == "warn"
    assert "BIND_ADDRESS=0.0.0.0" in found[0][1]


def test_base_images_are_those_that_are_set():
    assert levels(doctor.images_found(configuration(), OFFICIAL)) == ["ok"]
    found = list(doctor.images_found(configuration(), OFFICIAL | {"postgres": "mirror/postgres"}))
    assert levels(found) == ["warn"]
    assert "invoke up" in text(found)


# --- The volumes ---


def test_every_volume_of_the_compose_file_is_looked_at():
    config = json.loads(compose("config", "--format", "json").stdout)
    mounts = doctor.mounts(config)
    assert {mount.volume for mount in mounts} == {volume["name"] for volume in config["volumes"].values()}
    assert [mount.folder for mount in mounts if mount.service == "notebook"] == ["/home/jovyan"]
    assert {mount.service for mount in mounts if "-secrets" in mount.volume} == {"secrets"}


def test_a_volume_can_only_be_looked_at():
    command = " ".join(doctor.look(MOUNT, "box-postgres"))
    for word in ("--rm", "--read-only", "readonly,volume-nocopy", "--network none", "--cap-drop ALL", "--pull never"):
        assert word in command


def looked_at(printed, **answers):
    """Return what is found of a volume, when the container that looks at it prints something."""
    config = configuration()
    config["services"]["postgres"]["volumes"] = [{"type": "volume", "source": "db-store", "target": "/data"}]
    usual = {"docker (volume|image) inspect": True, "docker run": printed}
    return examined(docker(answers | usual, config))


def test_an_owner_that_is_the_user_of_the_service_is_well(env):
    found = looked_at(Result("70\n70\n90000000\n"))
    assert [level for level, _ in found["volumes"]] == ["ok"]
    assert found["disk"] == [("ok", "92.2 GB free for the volumes")]


def test_another_owner_fails_and_the_remedy_is_a_command(env):
    [(level, said)] = looked_at(Result("0\n70\n90000000\n"))["volumes"]
    assert level == "FAIL"
    assert "belongs to user 0, but postgres runs as 70" in said
    assert "chown box-postgres -R 70 /data" in said


def test_a_volume_that_cannot_be_looked_at_fails(env):
    found = looked_at(Result("", "docker: Error", exited=125))
    assert [level for level, _ in found["volumes"]] == ["FAIL"]
    assert found["disk"][0][0] == "warn"


def test_a_volume_that_is_not_there_is_not_made(env):
    config = configuration()
    config["services"]["postgres"]["volumes"] = [{"type": "volume", "source": "db-store", "target": "/data"}]
    c = docker(config=config)
    assert examined(c)["volumes"] == [("warn", 'box_db-store does not exist: "invoke up" makes it, empty.')]
    assert [command for command in commands(c) if command.startswith("docker run")] == []


def test_little_room_is_a_warning_that_says_the_limit():
    assert levels(doctor.disk_found(5_000_000_000)) == ["ok"]
    found = list(doctor.disk_found(4_999_999_999))
    assert levels(found) == ["warn"]
    assert "less than 5.0 GB" in text(found)


# --- The database and the server ---


def test_server_and_notebook_have_the_same_mlflow():
    assert levels(doctor.versions_found("3.17.2", "3.17.2", "17.6")) == ["ok"]
    assert levels(doctor.versions_found("3.17.2", "3.16.0", "17.6")) == ["FAIL"]


def test_the_tables_are_those_of_the_server():
    assert levels(doctor.tables_found("c", ["c", "b", "a"])) == ["ok"]
    for schema, word in (("b", "older"), ("d", "newer")):
        found = list(doctor.tables_found(schema, ["c", "b", "a"]))
        assert levels(found) == ["FAIL"]
        assert word in text(found)


@pytest.mark.parametrize("there", [100.0, 100.5, 101.0, 98.0, 103.0])
def test_a_clock_that_is_hardly_off_is_well(there):
    assert levels(doctor.clock_found(100, there, 101)) == ["ok"]


@pytest.mark.parametrize(("there", "said"), [(97.0, "3 s behind"), (104.0, "3 s ahead"), (3701.0, "3600 s ahead")])
def test_a_clock_that_is_off_is_a_warning(there, said):
    found = list(doctor.clock_found(100, there, 101))
    assert levels(found) == ["warn"]
    assert said in text(found)


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
def test_a_machine_of_a_cloud_is_known_by_its_firmware(firmware, cloud):
    assert doctor.cloud_of(firmware) == cloud


@pytest.mark.parametrize(("rules", "level"), [("", "warn"), ("-N DOCKER-USER\n", "warn"), (RULE, "ok")])
def test_a_cloud_that_notebooks_can_ask_is_told_with_where_the_rule_is(tmp_path, monkeypatch, rules, level):
    (tmp_path / "sys_vendor").write_text("Amazon EC2\n")
    monkeypatch.setattr(doctor, "DMI", tmp_path)
    [(found, text)] = doctor.check_cloud(doctor.Patient(docker({"iptables --list-rules DOCKER-USER": rules})))
    assert found == level
    assert ("ask Amazon, at 169.254.169.254," in text and "docs/security.md" in text) == (level == "warn")
