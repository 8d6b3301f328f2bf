"""The images have the locked versions, keep the packages of their bases, and stay small."""

import json
import re

import pytest

from toolbox.compose import SERVICES

pytestmark = pytest.mark.stack


def packages(toolbox, service):
    """Return the Python packages of a service and their versions."""
    return as_versions(toolbox.host(service).check_output("pip list --format json"))


def as_versions(listed):
    return {
        package["name"].lower().replace("_", "-").replace(".", "-"): package["version"]
        for package in json.loads(listed)
    }


def test_notebook_and_server_run_the_pinned_version_of_mlflow(toolbox):
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


def test_the_notebook_adds_no_broken_requirements_to_those_of_its_base(toolbox):
    check = ("docker", "run", "--rm", "--entrypoint", "pip", toolbox.base("notebook"), "check")
    base = toolbox.run(*check).stdout.splitlines()
    now = toolbox.host("notebook").run("pip check").stdout.splitlines()
    assert set(now) <= {*base, "No broken requirements found."}


@pytest.mark.parametrize("service", SERVICES)
def test_the_label_of_an_image_names_its_base(toolbox, service):
    assert toolbox.base(service) in toolbox.env.read_text() + (toolbox.root / "docker-compose.yml").read_text()


def test_the_left_out_packages_are_not_in_the_server(toolbox):
    left_out = (toolbox.root / "ml-flow-docker" / "left-out.txt").read_text()
    names = set(re.findall(r"^([a-z-]+) ;", left_out, re.MULTILINE))
    assert {"pyarrow", "scipy", "scikit-learn", "matplotlib"} <= names
    assert names.isdisjoint(packages(toolbox, "mlflow"))


def test_the_server_lacks_only_the_left_out_packages(toolbox):
    left_out = (toolbox.root / "ml-flow-docker" / "left-out.txt").read_text()
    missing = re.findall(r"requires (\S+), which is not installed", toolbox.host("mlflow").run("pip check").stdout)
    assert sorted(missing) == sorted(re.findall(r"^([a-z-]+) ;", left_out, re.MULTILINE))


@pytest.mark.parametrize(("service", "max_mb"), [("mlflow", 400), ("notebook", 250), ("postgres", 5)])
def test_an_image_adds_little_to_its_base(toolbox, service, max_mb):
    names = [toolbox.inspect(service)["Config"]["Image"], toolbox.base(service)]
    size, base = map(int, toolbox.run("docker", "image", "inspect", "--format", "{{.Size}}", *names).stdout.split())
    assert base < size <= base + max_mb * 1_000_000


def test_the_home_of_the_notebook_is_its_volume(toolbox):
    mounts = {mount["Destination"]: mount["Name"] for mount in toolbox.inspect("notebook")["Mounts"]}
    homes = dict.fromkeys(["/home/jovyan", "/work"], f"{toolbox.project}_file-store")
    assert mounts == homes | {"/secrets": f"{toolbox.project}_notebook-secrets"}
    assert toolbox.host("notebook").check_output("touch ~/mine && stat -c %U ~/mine") == "jovyan"


def test_the_home_in_the_notebook_image_has_no_visible_files(toolbox):
    image = f"{toolbox.project}-notebook"
    listed = toolbox.run("docker", "run", "--rm", "--network=none", "--entrypoint=ls", image, "/home/jovyan")
    assert (listed.returncode, listed.stdout) == (0, "")
