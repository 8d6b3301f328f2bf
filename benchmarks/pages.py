"""How long pages take to appear at the first visit: MLflow's table of runs, and JupyterLab."""

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
    """Record the seconds until the newest run is visible in MLflow's table, and until the launcher of JupyterLab is."""
    runs = RUNS_QUICK if quick else RUNS
    browsing.build(sides["ours"])
    with ThreadPoolExecutor() as threads:
        created = threads.map(partial(filled_experiment, runs=runs), sides.values())
        experiments = dict(zip(sides, created, strict=True))
    try:
        for _, stack in stacks.in_turn(sides, 1 if quick else ROUNDS):
            for what, service, port, path, selector in (
                (
                    f"table of {runs:,} runs",
                    "mlflow",
                    MLFLOW_PORT,
                    table_path(experiments[stack.name]),
                    newest_run(runs),
                ),
                ("JupyterLab", "notebook", NOTEBOOK_PORT, launcher_path(stack), ".jp-LauncherCard"),
            ):
                seconds = load_times(stack, sides["ours"], service, port, path, selector, 1 if quick else TIMES)
                table.add("pages", what, "s", stack.name, statistics.median(seconds))
    finally:
        for stack in sides.values():
            fill.remove(stack, experiments[stack.name])


def filled_experiment(stack, runs):
    """Create an experiment with that many runs; return its ID."""
    experiment = fill.experiment(stack, "pages")
    fill.runs(stack, experiment, 1, runs)
    return experiment


def table_path(experiment):
    """Return the path of MLflow's page with the table of the runs of an experiment."""
    return f"/#/experiments/{experiment}/runs"


def newest_run(runs):
    """Return the selector of the link to the newest run, the first row of the table."""
    return f'role=link[name="{fill.name(runs)}"]'


def launcher_path(stack):
    """Return the path of JupyterLab with the token, as the first visit needs it."""
    read = ("sh", "-c", "cat /secrets/token 2>/dev/null || printenv JUPYTER_TOKEN")
    token = stack.compose("exec", "--no-TTY", "notebook", *read).removesuffix("\n")
    return f"/lab?token={quote(token, safe='')}"


def load_times(stack, owner, service, port, path, selector, times):
    """Return the seconds that the page of a service takes, for each of `times` visits.

    The browser, in the image that is removed with `owner`, shares the network of the service. The page has the same
    URL as on this machine.
    """
    program = (HERE / "inside" / "open_page.py").read_text()
    address = f"http://localhost:{stack.port(service)}{path}"
    result = stack.run(
        *("docker", "run", "--rm", browsing.label(owner), f"--network=container:{stack.container(service)}"),
        # Chromium's processes share memory.
        *("--shm-size=1g", browsing.image(owner)),
        *("python", "-c", program, address, f"127.0.0.1:{port}", selector, str(times)),
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])
