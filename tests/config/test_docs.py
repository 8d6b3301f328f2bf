"""The documentation: what it names exists, its code can be parsed, its links lead somewhere."""

import inspect
import re
import subprocess

import pytest

import tasks
from tests.support.layers import ROOT, SECRETS, docker_compose

TEXTS = sorted(str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("[!.]*/**/*.md")))
RECIPES = (ROOT / "docs" / "recipes.md").read_text()
TASKS = {name: tasks.namespace[name] for name in tasks.namespace.task_names}
# Variables of other programs: those that use a proxy, pip, Caddy and MLflow's client.
OF_OTHERS = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_USERNAME",
    "PIP_CERT",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
}


def read(name):
    """Return the text of a file of the repository."""
    return (ROOT / name).read_text()


def blocks(language):
    """Return the blocks of the recipes that are marked with a language, without their fences."""
    return re.findall(rf"^```{language}\n(.*?)^```$", RECIPES, flags=re.M | re.S)


def anchor(heading):
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def anchors(name):
    """Return the anchors of all headings of a text."""
    prose = re.sub(r"^```.*?^```$", "", read(name), flags=re.M | re.S)
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", prose, flags=re.M)}


# --- What the texts name ---


@pytest.mark.parametrize("name", TEXTS)
def test_every_task_that_a_text_names_exists(name):
    named = set(re.findall(r"(?:\./run|`invoke|\"invoke)[ \n]([a-z][\w.]*\w)", read(name)))
    # `help` is handled by ./run itself.
    assert named - set(TASKS) - {"help"} == set()


@pytest.mark.parametrize("name", TEXTS)
def test_every_option_of_a_task_that_a_text_names_exists(name):
    # get_arguments() would remove the help texts from the tasks.
    known = {
        (task, f"--{parameter.replace('_', '-')}")
        for task, that in TASKS.items()
        for parameter in inspect.signature(that.body).parameters
    }
    named = re.findall(r"\./run ([a-z.]+)([^`\n|&;#]*)", read(name))
    assert {(task, option) for task, rest in named for option in re.findall(r"--[\w-]+", rest)} - known == set()


@pytest.mark.parametrize("name", TEXTS)
def test_every_file_that_a_text_names_exists(name):
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != ".venv"}
    named = re.findall(r"[`\s](\.?[\w-]+/[\w./*-]*)", read(name))
    ours = [path.rstrip("./") for path in named if path.split("/")[0] in folders]
    # Files that a task creates do not exist yet.
    assert [path for path in ours if not list(ROOT.glob(path)) and not path.startswith("backups")] == []


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_between_texts_leads_somewhere(name):
    for target in re.findall(r"\]\(([^)\s]+)\)", read(name)):
        if re.match(r"\w+:", target):
            continue
        path, _, heading = target.partition("#")
        there = (ROOT / name).parent / path if path else ROOT / name
        assert there.exists(), target
        assert not heading or heading in anchors(there), target


# --- The recipes ---


def test_every_setting_in_a_recipe_is_known():
    files = ("docker-compose.yml", ".env.example", "ml-flow-docker/Dockerfile", "jupyter-notebook-docker/Dockerfile")
    ours = "".join(map(read, files))
    # Each secret also has a variable with _FILE.
    named = {name.removesuffix("_FILE") for name in re.findall(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b", RECIPES)}
    assert named
    assert {name for name in named - OF_OTHERS if not re.search(rf"\b{name}\b", ours)} == set()


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.split()[1])
def test_compose_accepts_every_override_of_the_recipes(block, tmp_path):
    override = tmp_path / "docker-compose.override.yml"
    override.write_text(block)
    result = docker_compose("--file", "docker-compose.yml", "--file", str(override), "config", "--quiet", **SECRETS)
    assert result.ok, result.stderr


@pytest.mark.parametrize("block", blocks("sh"), ids=lambda block: block.split("\n")[0][:40])
def test_a_shell_can_parse_every_command_of_the_recipes(block):
    subprocess.run(["sh", "-n"], input=block, text=True, check=True)


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.split("\n")[0][:40])
def test_python_can_parse_every_program_of_the_recipes(block):
    compile(block, "docs/recipes.md", "exec")
