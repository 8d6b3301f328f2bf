"""What runs in the containers: versions, what the bases brought, and the settings that decide about speed."""

import json
import re

import pytest

from toolbox.model import SERVICES

pytestmark = pytest.mark.stack


def packages(toolbox, service):
    """Return the Python packages of a service and their versions."""
    return as_versions(toolbox.host(service).check_output("pip list --format json"))


def as_versions(listed):
    return {
        package["name"].lower().replace("_", "-").replace(".", "-"): package["version"]
        for package in json.loads(listed)
    }


def test_notebook_and_server_run_the_mlflow_of_the_one_place(toolbox):
    pinned = re.search(
        r"^mlflow==(\S+)$", (toolbox.root / "ml-flow-docker" / "requirements.in").read_text(), re.MULTILINE
    )[1]
    _, running = toolbox.get("mlflow", "/version")
    assert (
        packages(toolbox, "notebook")["mlflow"] == packages(toolbox, "mlflow")["mlflow"] == running.decode() == pinned
    )


def test_the_server_has_the_locked_packages_and_no_others(toolbox):
    lock = (toolbox.root / "ml-flow-docker" / "requirements.txt").read_text()
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", lock, re.MULTILINE))
    installed = packages(toolbox, "mlflow")
    del installed["pip"]
    assert installed == {name: locked.get(name) for name in installed}


def test_the_notebook_keeps_every_package_of_its_base(toolbox):
    listed = toolbox.run(
        "docker", "run", "--rm", "--entrypoint", "pip", toolbox.base("notebook"), "list", "--format", "json"
    )
    base = as_versions(listed.stdout)
    now = packages(toolbox, "notebook")
    assert {"numpy", "pandas", "scikit-learn"} < base.keys()
    assert {name: now.get(name) for name in base} == base


def test_no_package_of_the_notebook_misses_another(toolbox):
    assert toolbox.host("notebook").check_output("pip check") == "No broken requirements found."


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_says_what_it_was_built_on(toolbox, service):
    assert toolbox.base(service) in toolbox.env.read_text() + (toolbox.root / "docker-compose.yml").read_text()


def test_two_workers_serve_and_both_run_on_uvloop(toolbox):
    # Plain asyncio with two or more workers lets every request wait for a delayed ACK.
    maps = toolbox.host("mlflow").check_output("grep -l uvloop/loop /proc/[0-9]*/maps 2>/dev/null; true").split()
    assert len(maps) == 2


def test_the_server_starts_no_process_for_background_jobs(toolbox):
    commands = toolbox.host("mlflow").check_output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "huey" not in commands


def test_the_home_folder_is_the_volume(toolbox):
    mounts = {mount["Destination"]: mount["Name"] for mount in toolbox.inspect("notebook")["Mounts"]}
    assert mounts == {"/home/jovyan": f"{toolbox.project}_file-store"}
    assert toolbox.host("notebook").check_output("touch ~/mine && stat -c %U ~/mine") == "jovyan"
