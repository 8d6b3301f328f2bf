"""postgres-docker/postgresql.conf: it never trades safety for speed, and its memory fits into the container."""

import re

import pytest

from tests.support.layers import ROOT, image_environment, postgres_settings, real_configuration

SETTINGS = ROOT / "postgres-docker" / "postgresql.conf"
DOCKERFILE = ROOT / "postgres-docker" / "Dockerfile"
FILE = "/etc/data-toolbox/postgresql.conf"
MB = 1 << 20
# Postgres' defaults for settings that are not in the file, in the units of the file.
DEFAULTS = {
    "autovacuum_max_workers": "3",
    "autovacuum_work_mem": "64MB",
    "max_parallel_workers": "8",
    "shared_buffers": "128MB",
    "work_mem": "4MB",
}
# The private memory of an idle connection of MLflow, as measured.
CONNECTION_MB = 2


def megabytes(value):
    return int(re.fullmatch(r"(\d+)MB", value)[1])


@pytest.mark.parametrize(
    "name",
    ["fsync", "full_page_writes", "synchronous_commit", "wal_sync_method", "data_checksums", "zero_damaged_pages"],
)
def test_no_setting_changes_the_durability_of_commits(name):
    assert name not in SETTINGS.read_text()
    assert name not in (ROOT / "docker-compose.yml").read_text()


def test_the_settings_in_the_volume_come_first_and_are_optional():
    [data] = re.findall(r"^ENV PGDATA=(.*)$", DOCKERFILE.read_text(), flags=re.M)
    [first, *_] = re.findall(r"^(\w.*)$", SETTINGS.read_text(), flags=re.M)
    assert first == f"include_if_exists = '{data}/postgresql.conf'"


def test_the_server_reads_the_file_from_the_image():
    assert f'CMD ["postgres", "-c", "config_file={FILE}"]' in DOCKERFILE.read_text()
    [copied] = re.findall(r"^COPY postgresql.conf .* (\S+)/$", DOCKERFILE.read_text(), flags=re.M)
    assert copied == FILE.rpartition("/")[0]
    assert real_configuration()["services"]["postgres"]["command"] is None


def test_the_memory_of_the_container_is_enough_for_all_connections():
    settings = DEFAULTS | postgres_settings()
    services = real_configuration()["services"]
    pools = ("MLFLOW_SQLALCHEMYSTORE_POOL_SIZE", "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW")
    environment = image_environment("ml-flow-docker") | services["mlflow"]["environment"]
    # The maximum of MLflow's connections, each with a sort in memory.
    sorting = int(environment["MLFLOW_WORKERS"]) * sum(int(environment[name]) for name in pools)
    needed = (
        megabytes(settings["shared_buffers"])
        + int(settings["max_connections"]) * CONNECTION_MB
        + (sorting + int(settings["max_parallel_workers"])) * megabytes(settings["work_mem"])
        + int(settings["autovacuum_max_workers"]) * megabytes(settings["autovacuum_work_mem"])
    )
    assert needed * MB <= int(services["postgres"]["mem_limit"])
