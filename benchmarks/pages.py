"""Pages as people see them when they open them for the first time: MLflow's table of runs, and JupyterLab."""

import json
import statistics
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import quote

from benchmarks import fill, stacks
from tests.support import browsing

HERE = Path(__file__).parent
RUNS, RUNS_QUICK = 10_000, 1_000
ROUNDS, TIMES = 5, 3
# The ports in the containers.
MLFLOW_PORT, NOTEBOOK_PORT = 5000, 8888


def measure(sides, table, quick):
    """Record the seconds from the navigation to the newest run in MLflow's table, and to the launcher of JupyterLab."""
    runs = RUNS_QUICK if quick else RUNS
    browsing.build(sides["ours"])
    with ThreadPoolExecutor() as threads:
        filled = threads.map(partial(filled_experiment, runs=runs), sides.values())
        experiments = dict(zip(sides, filled, strict=True))
    try:
        for _, stack in stacks.in_turn(sides, 1 if quick else ROUNDS):
            for what, service, port, path, selector in (
                (f"table of {runs:,} runs", "mlflow", MLFLOW_PORT, table_of(experiments[stack.name]), newest(runs)),
                ("JupyterLab", "notebook", NOTEBOOK_PORT, launcher(stack), ".jp-LauncherCard"),
            ):
                opened = opening(stack, sides["ours"], service, port, path, selector, 1 if quick else TIMES)
                table.add("pages", what, "s", stack.name, statistics.median(opened))
    finally:
        for stack in sides.values():
            fill.remove(stack, experiments[stack.name])


def filled_experiment(stack, runs):
    """Make an experiment of so many runs; return its number."""
    experiment = fill.experiment(stack, "pages")
    fill.runs(stack, experiment, 1, runs)
    return experiment


def table_of(experiment):
    """Return the path of MLflow's page with the table of the runs of an experiment."""
    return f"/#/experiments/{experiment}/runs"


def newest(runs):
    """Return what selects the link to the newest run, which is the first row of the table."""
    return f'role=link[name="{fill.name(runs)}"]'


def launcher(stack):
    """Return the path with which a person comes to JupyterLab for the first time."""
    read = ("sh", "-c", "cat /secrets/token 2>/dev/null || printenv JUPYTER_TOKEN")
    token = stack.compose("exec", "--no-TTY", "notebook", *read).removesuffix("\n")
    return f"/lab?token={quote(token, safe='')}"


def opening(stack, owner, service, port, path, selector, times):
    """Return the seconds that the page of a service takes, for each of so many times.

    The browser, in the image that is removed with `owner`, is in the network of the service, so that nothing but the
    server is between them. To both the page has the address that it has on this machine.
    """
    program = (HERE / "inside" / "open_page.py").read_text()
    address = f"http://localhost:{stack.port(service)}{path}"
    result = stack.run(
        *("docker", "run", "--rm", browsing.label(owner), f"--network=container:{stack.container(service)}"),
        # Chromium's processes share what they draw.
        *("--shm-size=1g", browsing.image(owner)),
        *("python", "-c", program, address, f"127.0.0.1:{port}", selector, str(times)),
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])
