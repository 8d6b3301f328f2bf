"""docker-compose.yml: who listens where, who gets which secret, and what is kept."""

import json
import re
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.support.layers import (
    ROOT,
    SECRETS,
    image_environment,
    loaded,
    postgres_settings,
    program,
    real_configuration,
)
from toolbox import addresses, compose

STORES = (
    "artifact-store",
    "db-store",
    "dump-store",
    "file-store",
    "mlflow-secrets",
    "notebook-secrets",
    "postgres-secrets",
)


@pytest.fixture(scope="module")
def config():
    return real_configuration()


def hosts(**settings):
    return compose.environment(real_configuration(**settings), "mlflow")["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")


# --- Reached from this machine only ---


def test_every_port_is_on_this_machine_only(config):
    published = [port for service in config["services"].values() for port in service.get("ports", [])]
    assert len(published) == len(compose.SERVICES)
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


@pytest.mark.parametrize("service", compose.SERVICES)
def test_every_port_can_be_moved_and_the_container_keeps_its_own(config, service):
    moved = real_configuration(**{f"{service.upper()}_PORT": 12345})
    assert compose.address(moved, service) == ("127.0.0.1", 12345)
    assert moved["services"][service]["ports"][0]["target"] == config["services"][service]["ports"][0]["target"]


def test_the_server_may_be_asked_for_by_the_notebook_and_from_this_machine():
    assert set(hosts()) == {"mlflow:5000", "localhost:5000", "127.0.0.1:5000"}


def test_a_moved_server_may_be_asked_for_at_its_new_port_only():
    assert set(hosts(MLFLOW_PORT=5050)) == {"mlflow:5000", "localhost:5050", "127.0.0.1:5050"}


def test_names_that_the_user_adds_come_on_top():
    assert hosts(MLFLOW_EXTRA_ALLOWED_HOSTS="a.example:80,b.example:80") == [*hosts(), "a.example:80", "b.example:80"]


def test_the_notebook_asks_for_the_server_under_a_name_that_is_allowed():
    assert urlsplit(image_environment("jupyter-notebook-docker")["MLFLOW_TRACKING_URI"]).netloc in hosts()


# --- Secrets ---


@pytest.mark.parametrize(
    ("service", "volumes"),
    [
        ("notebook", ["notebook-secrets"]),
        ("migrate", ["mlflow-secrets"]),
        ("mlflow", ["mlflow-secrets"]),
        ("postgres", ["postgres-secrets"]),
    ],
)
def test_a_service_can_read_its_own_secrets_and_no_other(config, service, volumes):
    mounts = {mount["source"]: mount for mount in config["services"][service]["volumes"]}
    assert [name for name in mounts if name.endswith("-secrets")] == volumes
    assert mounts[volumes[0]]["target"] == "/secrets"
    assert mounts[volumes[0]]["read_only"] is True


def test_what_is_set_is_told_to_what_makes_the_secrets_alone():
    services = real_configuration(**SECRETS)["services"]
    assert services["secrets"]["environment"] == SECRETS
    assert [
        name for name in compose.SERVICES if any(value in json.dumps(services[name]) for value in SECRETS.values())
    ] == []


def test_what_makes_the_secrets_has_no_rights_and_reaches_nothing(config):
    its = config["services"]["secrets"]
    assert (its["network_mode"], its["read_only"], its["cap_drop"]) == ("none", True, ["ALL"])
    assert its["user"].partition(":")[0] not in ("0", "root", "1000", "10001")
    assert "ports" not in its


def test_every_service_waits_for_its_secrets_and_is_started_again_with_others(config):
    for service in (*compose.SERVICES, "migrate"):
        need = config["services"][service]["depends_on"]["secrets"]
        assert (need["condition"], need["restart"]) == ("service_completed_successfully", True)


def test_the_address_of_the_database_has_no_password_in_it():
    address = urlsplit(image_environment("ml-flow-docker")["MLFLOW_BACKEND_STORE_URI"])
    assert address.username == "mlflow"
    assert address.password is None


def test_a_request_does_not_wait_long_for_a_database_that_is_gone():
    query = dict(parse_qsl(urlsplit(image_environment("ml-flow-docker")["MLFLOW_BACKEND_STORE_URI"]).query))
    # In milliseconds, of a database that is gone: it leaves time to say so within five seconds.
    assert 0 < int(query["tcp_user_timeout"]) < 5000
    # In seconds, of one that lets nobody in: under full load some have to wait for longer than 3 s.
    assert 10 <= int(query["connect_timeout"]) <= 30


# --- Rights ---


def test_no_service_has_rights_over_the_machine(config):
    more = {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "userns_mode"}
    # Whose network is none at all.
    assert [service for service, its in config["services"].items() if more & set(its)] == ["secrets"]


@pytest.mark.parametrize("service", compose.IN_ORDER)
def test_every_service_gives_up_rights_and_has_limits(config, service):
    its = config["services"][service]
    assert its["cap_drop"] == ["ALL"]
    assert its["security_opt"] == ["no-new-privileges:true"]
    assert its["pids_limit"] > 0
    assert int(its["mem_limit"]) > 0
    assert its["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize("service", ["mlflow", "postgres"])
def test_a_server_writes_to_its_volume_and_to_memory_only(config, service):
    assert config["services"][service]["read_only"] is True
    assert any(folder.startswith("/tmp:size=") for folder in config["services"][service]["tmpfs"])


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "192.0.2.7", "0.0.0.0"])
def test_mlflow_takes_requests_and_pages_of_the_address_that_is_printed_for_it(address):
    config = real_configuration(BIND_ADDRESS=address, MLFLOW_PORT="5555")
    environment = compose.environment(config, "mlflow")
    origins = environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"].split(",")
    assert set(origins) == {"http://localhost:5555", "http://127.0.0.1:5555", f"http://{address}:5555"}
    assert addresses.page(config, "mlflow") in origins
    assert f"{address}:5555" in environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert urlsplit(addresses.page(config, "mlflow")).netloc in environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")


def test_a_host_for_pages_is_told_to_all_that_show_it_and_the_database_stays_at_the_address():
    config = real_configuration(PAGE_HOST="a_b.localhost", MLFLOW_PORT="5555", NOTEBOOK_PORT="8899")
    mlflow, notebook = (compose.environment(config, service) for service in ("mlflow", "notebook"))
    assert "a_b.localhost:5555" in mlflow["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert "http://a_b.localhost:5555" in mlflow["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"].split(",")
    assert notebook["MLFLOW_NOTEBOOK_TRACE_RENDERER_BASE_URL"] == "http://a_b.localhost:5555"
    assert notebook["NOTEBOOK_ADDRESS"] == "a_b.localhost:8899"
    assert addresses.summary(config, "token", "password") == [
        "notebook  http://a_b.localhost:8899/lab?token=token",
        "mlflow    http://a_b.localhost:5555  no login",
        "postgres  postgresql://analyst:password@127.0.0.1:5432/mlflow",
    ]
    assert compose.address(config, "mlflow") == ("127.0.0.1", 5555)


def test_services_keep_data_in_volumes_of_the_project_and_in_no_folder_of_the_machine(config):
    mounts = [mount for service in config["services"].values() for mount in service["volumes"]]
    assert {mount["type"] for mount in mounts} == {"volume"}
    assert {mount["source"] for mount in mounts} == {*STORES}


# --- Names, and two copies side by side ---


def test_the_volumes_have_the_name_of_the_project(config):
    assert sorted(volumes(config)) == [f"data-toolbox_{store}" for store in STORES]


def test_the_volume_of_the_databases_can_be_another_one():
    assert "data-toolbox_db-store-18" in volumes(real_configuration(DB_STORE="db-store-18"))


def test_two_copies_share_nothing():
    first = loaded("COMPOSE_PROJECT_NAME=one\n")
    second = loaded("COMPOSE_PROJECT_NAME=two\nPOSTGRES_PORT=15432\nMLFLOW_PORT=15000\nNOTEBOOK_PORT=18888\n")
    for names in (volumes, images, ports, networks):
        assert set(names(first)).isdisjoint(names(second))


def images(config):
    return [f"{config['name']}-{service}" for service in compose.IN_ORDER]


def volumes(config):
    return [volume["name"] for volume in config["volumes"].values()]


def ports(config):
    return [compose.address(config, service) for service in compose.SERVICES]


def networks(config):
    return [network["name"] for network in config["networks"].values()]


# --- Running ---


def test_a_service_starts_when_what_it_needs_is_healthy_or_done(config):
    needs = {service: its.get("depends_on", {}) for service, its in config["services"].items()}
    assert {service: {*its} for service, its in needs.items()} == {
        "secrets": set(),
        "postgres": {"secrets"},
        "migrate": {"secrets", "postgres"},
        "mlflow": {"secrets", "migrate"},
        "notebook": {"secrets", "mlflow"},
    }
    conditions = {need: its["condition"] for needed in needs.values() for need, its in needed.items()}
    assert {conditions.pop(service) for service in compose.ONE_SHOTS} == {"service_completed_successfully"}
    assert set(conditions.values()) == {"service_healthy"}


def test_every_service_comes_back_after_a_crash_and_after_a_restart_of_the_machine(config):
    assert {config["services"][service]["restart"] for service in compose.SERVICES} == {"always"}


def test_what_runs_once_does_not_run_again_by_itself(config):
    assert {config["services"][service]["restart"] for service in compose.ONE_SHOTS} == {"no"}


def test_mlflow_has_the_connections_it_needs_and_postgres_has_room_for_them(config):
    workers = int(compose.environment(config, "mlflow")["MLFLOW_WORKERS"])
    size, overflow = pool()
    room = int(postgres_settings()["max_connections"])
    # A worker serves 40 requests at once, and one that writes a batch takes two connections.
    assert size + overflow >= 41
    # Some are left to the notebook and to people.
    assert workers * (size + overflow) <= room - 50


def pool():
    """Return how many connections a server process of MLflow keeps, and how many more it opens."""
    variables = image_environment("ml-flow-docker")
    return [int(variables[f"MLFLOW_SQLALCHEMYSTORE_{name}"]) for name in ("POOL_SIZE", "MAX_OVERFLOW")]


def test_the_example_says_how_many_connections_a_server_process_takes():
    assert f"up to {sum(pool())} connections" in (ROOT / ".env.example").read_text()


def test_the_check_of_mlflow_ends_before_docker_cuts_it_off(config):
    allowed = config["services"]["mlflow"]["healthcheck"]["timeout"]
    assert int(allowed.removesuffix("s")) > program("ml-flow-docker/healthcheck.py").TIMEOUT_SECONDS


@pytest.mark.parametrize("folder", ["ml-flow-docker", "jupyter-notebook-docker"])
def test_mlflow_reports_nothing_to_its_makers(folder):
    assert image_environment(folder)["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert image_environment(folder)["MLFLOW_MODEL_CATALOG_URI"] == ""


# --- How the file is written ---


def test_no_service_has_a_name_of_its_own_or_gets_all_of_env():
    """A container_name can be taken only once on a machine; an env_file hands every secret to the container."""
    assert re.findall(r"^ +(?:container_name|env_file):", (ROOT / "docker-compose.yml").read_text(), flags=re.M) == []
