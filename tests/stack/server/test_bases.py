"""The base images, official or built from packages, have what the three Dockerfiles rely on."""

import re
import subprocess
import time

import pytest

pytestmark = pytest.mark.stack

TIMEOUT_SECONDS = 60
# A base with one more package, which consists only of metadata.
WITH_A_PACKAGE = """\
FROM {base}
RUN cd "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \\
    && mkdir {name}-0.1.dist-info \\
    && printf 'Name: {name}\\nVersion: 0.1\\nRequires-Dist: {requirement}\\n' > {name}-0.1.dist-info/METADATA
"""


@pytest.fixture
def docker():
    """A function that runs `docker` and returns its result; containers created with --name are deleted later."""
    names = []

    def run(*arguments, stdin=""):
        if "--name" in arguments:
            names.append(arguments[arguments.index("--name") + 1])
        return subprocess.run(["docker", *arguments], input=stdin, capture_output=True, text=True, check=False)

    yield run
    for name in names:
        run("rm", "--force", "--volumes", name)


@pytest.fixture
def base(toolbox):
    """A function that returns the base image of a service."""
    return toolbox.base


@pytest.fixture
def database(toolbox, docker, base):
    """A function that starts a base image of postgres with options, and returns a function that runs SQL there."""

    def start(*options):
        name = f"{toolbox.project}-base"
        started = docker("run", "--detach", "--name", name, "--hostname", "base", *options, base("postgres"))
        assert started.returncode == 0, started.stderr
        end = time.monotonic() + TIMEOUT_SECONDS
        while docker("exec", name, "pg_isready", "-h", "base").returncode != 0:
            assert time.monotonic() < end, docker("logs", name).stderr
            time.sleep(0.2)

        def sql(command, password, user="postgres", dbname="postgres"):
            # Not over loopback, where the image trusts everyone by default.
            client = ["psql", "-h", "base", "-U", user, "-d", dbname, "-tAc", command]
            return docker("exec", "--env", f"PGPASSWORD={password}", name, *client)

        return sql

    return start


@pytest.fixture
def build_on(toolbox, docker, base):
    """A function that builds the notebook on its base plus a package, given its name and requirement; returns the
    result of the build.
    """
    images = [f"{toolbox.project}-with-a-package", f"{toolbox.project}-on-it"]

    def build(name, requirement):
        dockerfile = WITH_A_PACKAGE.format(base=base("notebook"), name=name, requirement=requirement)
        base_built = docker("build", "--tag", images[0], "-", stdin=dockerfile)
        assert base_built.returncode == 0, base_built.stderr
        options = ("--progress", "plain", "--build-arg", f"BASE_IMAGE={images[0]}", "--tag", images[1])
        return docker("build", *options, str(toolbox.root / "jupyter-notebook-docker"))

    yield build
    docker("image", "rm", *images)


def test_the_base_of_postgres_runs_init_files_in_the_order_of_their_names(database, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "1.sql").write_text("CREATE TABLE seen (name text);\n")
    (tmp_path / "2.sh").write_text("psql -U postgres -c \"INSERT INTO seen VALUES ('sh')\"\n")
    (tmp_path / "3.sql").write_text("INSERT INTO seen VALUES ('sql');\n")
    sql = database("-e", "POSTGRES_PASSWORD=x", "-v", f"{tmp_path}:/docker-entrypoint-initdb.d:ro")
    assert sql("SELECT string_agg(name, ' ') FROM seen", "x").stdout.strip() == "sh sql"


def test_the_base_of_postgres_passes_its_arguments_to_initdb(database):
    arguments = "--auth-local=scram-sha-256 --data-checksums"
    sql = database("-e", "POSTGRES_PASSWORD=x", "-e", f"POSTGRES_INITDB_ARGS={arguments}")
    assert sql("SHOW data_checksums", "x").stdout.strip() == "on"
    assert "scram-sha-256" in sql("SELECT auth_method FROM pg_hba_file_rules WHERE type = 'local' LIMIT 1", "x").stdout


def test_the_base_of_postgres_stops_at_once_and_cleanly(toolbox, docker, database):
    database("-e", "POSTGRES_PASSWORD=x")
    name = f"{toolbox.project}-base"
    docker("stop", "--time", "20", name)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip() == "0"
    assert "database system is shut down" in docker("logs", name).stderr


def test_the_base_of_mlflow_has_python_and_pip_on_its_path(docker, base):
    result = docker("run", "--rm", base("mlflow"), "sh", "-c", "python --version && pip --version && pip check")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Python 3.13.")


def test_the_base_of_the_notebook_runs_hooks_and_then_the_command_as_jovyan(docker, base, tmp_path):
    (tmp_path / "hook.sh").write_text("export FROM_HOOK=yes\n")
    command = 'echo "$FROM_HOOK $(whoami) $(id -u):$(id -g) $NB_USER $NB_UID $HOME $CONDA_DIR $PWD"'
    hooks = f"{tmp_path}/hook.sh:/usr/local/bin/before-notebook.d/50-hook.sh:ro"
    result = docker("run", "--rm", "-v", hooks, base("notebook"), "sh", "-c", command)
    assert result.stdout.splitlines()[-1] == "yes jovyan 1000:100 jovyan 1000 /home/jovyan /opt/conda /home/jovyan"


def test_the_base_of_the_notebook_lets_jovyan_install_packages(docker, base):
    programs = (
        "command -v start-notebook.py fix-permissions tini && test -w /opt/conda && fix-permissions /opt/conda/bin"
    )
    result = docker("run", "--rm", base("notebook"), "sh", "-c", programs)
    assert result.returncode == 0, result.stderr


def test_the_base_of_the_notebook_has_the_scientific_stack(docker, base):
    names = (
        "bokeh, dask, h5py, ipywidgets, matplotlib, numba, numpy, pandas, scipy, seaborn, skimage, sklearn, statsmodels"
    )
    result = docker("run", "--rm", base("notebook"), "python", "-c", f"import {names}")
    assert result.returncode == 0, result.stderr


def test_the_notebook_builds_on_a_base_with_unmet_requirements_and_reports_them(build_on):
    built = build_on("brought", "absent>=2")
    assert built.returncode == 0, built.stderr
    assert "In the base image brought 0.1 requires absent>=2, which is not installed." in built.stderr


def test_the_notebook_does_not_build_on_a_base_that_conflicts_with_its_packages(build_on):
    built = build_on("starlette", "anyio")
    assert built.returncode != 0
    assert re.search(r"FAIL: fastapi \S+ requires starlette\S+, but 0\.1 is installed: ", built.stderr)
