"""The example notebooks as files: they run on both base images, and their SQL is good to copy."""

import ast
import re
import sys

import pytest

from tests.support.notebooks import FOLDER, NAMES, load

# Packages of both the official image and its substitute, including those that the Dockerfile adds.
PACKAGES = {"matplotlib", "mlflow", "numpy", "pandas", "scipy", "seaborn", "sklearn", "sqlalchemy"}


def cells(name, kind):
    """Return (id, text) of the cells of a kind."""
    return [(cell["id"], "".join(cell["source"])) for cell in load(name)["cells"] if cell["cell_type"] == kind]


def trees(name):
    """Return the syntax trees of the cells with code."""
    return [ast.parse(source) for _, source in cells(name, "code")]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_needs_only_packages_of_both_base_images(name):
    used = set()
    for node in (node for tree in trees(name) for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            used |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            used.add(node.module.split(".")[0])
    assert "mlflow" in used
    assert used - PACKAGES - sys.stdlib_module_names == set()


@pytest.mark.parametrize("name", NAMES)
def test_the_links_of_an_example_lead_to_existing_files_and_no_address_is_fixed(name):
    texts = "\n".join(text for _, text in cells(name, "markdown"))
    assert {link for link in re.findall(r"\]\((\S+?)\)", texts) if not (FOLDER / link).is_file()} == set()
    # The port of MLflow is a setting.
    assert "localhost" not in (FOLDER / name).read_text()


# --- The SQL of the second one ---


def texts_of(name):
    """Return the strings in the code, and the f-strings."""
    nodes = [node for tree in trees(name) for node in ast.walk(tree)]
    plain = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    formatted = [ast.unparse(node) for node in nodes if isinstance(node, ast.JoinedStr)]
    return plain, formatted


def test_sql_gets_its_values_as_parameters():
    plain, formatted = texts_of("2-ask-the-database.ipynb")
    assert [text for text in plain if "SELECT" in text]
    assert [text for text in formatted if "SELECT" in text or "WHERE" in text] == []


def test_sql_names_the_columns_that_it_selects():
    plain, _ = texts_of("2-ask-the-database.ipynb")
    assert [text for text in plain if re.search(r"SELECT\s+\*|\.\*", text)] == []


def test_sql_excludes_deleted_runs_and_limits_its_rows():
    plain, _ = texts_of("2-ask-the-database.ipynb")
    of_runs = [text for text in plain if re.search(r"FROM runs\s+WHERE", text)]
    assert len(of_runs) == 4
    assert [text for text in of_runs if "lifecycle_stage = 'active'" not in text or "LIMIT" not in text] == []
