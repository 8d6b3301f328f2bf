"""The verbs of the toolbox. `invoke --list` shows them, `invoke --help VERB` explains one."""

import os
import sys
from pathlib import Path

from invoke import Exit

from toolbox import backup as backing_up
from toolbox import (
    bases,
    browser,
    console,
    failure,
    model,
    named,
    passwords,
    ports,
    program,
    proxies,
    report,
    runs,
    stack,
    trash,
    values,
    work,
    zones,
)
from toolbox import doctor as examining
from toolbox import restore as restoring
from toolbox import status as looking
from toolbox import upgrade as upgrading
from toolbox.failure import Failure, as_typed
from toolbox.named import task
from toolbox.process import ROOT, compose, on_terminal, run, tool, visibly

# The folders with a requirements.in, and the oldest Python that each is for.
LOCKED = {
    ".": "3.10",
    "ml-flow-docker": "3.13",
    "jupyter-notebook-docker": "3.13",
    "bare-machine/scipy-notebook": "3.13",
    "tests/inside/browser": "3.13",
    "tests/support/older-mlflow/3.5.1": "3.13",
    "tests/support/older-mlflow/3.17.1": "3.13",
    "tests/clients/2.x": "3.10",
    "tests/clients/3.x": "3.10",
}

QUICK_TESTS = ("tests/unit", "tests/tasks", "tests/config", "tests/stack/smoke")


@task
def build(c):
    """Build the images without starting anything."""
    stack.check_engine(c)
    stack.build_images(c)


@task(makes=True, changes=True, help={"insecure": "publish beyond this machine, if BIND_ADDRESS says so"})
def up(c, insecure=False):
    """Build and start everything, wait until it is healthy, show the addresses."""
    stack.check_engine(c)
    values.check(c)
    if named.is_new():
        named.make(stack.settings(c)["name"])
    named.keep_page_host()
    proxies.keep_exceptions()
    config = stack.settings(c)
    before = stack.own_containers(c, config["name"])
    if not insecure:
        ports.check_address(config)
    ports.check(config, own=ports.published(before))
    work.check(config)
    stack.take_folder(c, config["name"])
    config = stack.build_images(c)
    zones.check(c, config)
    config = work.settle(c, config)
    if report.state(before.get("postgres")) != "running healthy":
        stack.start_database(c)
    restoring.settle_remains(c)
    stack.start(c)


@task(
    changes=True,
    help={
        "old-base": "base image of the Postgres that wrote the volume; without it, the present one with its number",
        "insecure": "as with up",
    },
)
def upgrade(c, old_base="", insecure=False):
    """Move the data to a new version of MLflow or Postgres, and start."""
    stack.check_engine(c)
    values.check(c)
    upgrading.take_over(c, old_base)
    up(c, insecure)


@task
def doctor(c):
    """Check the installation and suggest what to do; change nothing."""
    findings = []
    for finding in examining.examine(c):
        print(finding._replace(text=as_typed(named.words(finding.text))), flush=True)
        findings.append(finding)
    print(f"\n{examining.conclusion(findings)}")
    if examining.has_failed(findings):
        raise Exit(code=1)


@task(name="open", help={"service": "notebook or mlflow"})
def open_(c, service="notebook"):
    """Open JupyterLab in the browser, logged in, or MLflow's page."""
    stack.check_engine(c)
    browser.show(c, service)


@task(help={"json": "as JSON, for programs"})
def status(c, json=False):
    """Show state, address, version, memory and disk space of each service."""
    stack.check_engine(c)
    services = looking.gather(c, stack.settings(c))
    if json:
        print(looking.as_json(services))
    else:
        console.table(looking.rows(services))
        for remark in looking.remarks(services):
            print(f"\n{remark}")


@task(
    help={
        "service": "secrets, postgres, migrate, mlflow or notebook; all without it",
        "follow": "go on until Ctrl-C",
        "tail": "how many lines of each service, the newest; or all",
        "since": "only what is newer: 10m, 2h, or a time such as 2026-11-28T09:30",
    }
)
def logs(c, service="", follow=False, tail="100", since=""):
    """Show the newest lines that the services have logged."""
    stack.check_engine(c)
    if service and service not in model.IN_ORDER:
        raise Failure(f'there is no service "{service}": choose from {", ".join(model.IN_ORDER)}.')
    report.check_lines(tail, since)
    options = ["--tail", tail, *(["--since", since] if since else []), *(["--follow"] if follow else [])]
    if not compose(c, "logs", *options, *([service] if service else [])):
        raise Failure("Docker could not show the logs: its own message is above.")


@task(help={"role": "analyst, mlflow or postgres", "database": "mlflow or datasets", "command": "SQL to run instead"})
def psql(c, role="analyst", database="mlflow", command=""):
    """Open psql, or print the answer to one SQL command."""
    stack.check_engine(c)
    roles = ("postgres", *passwords.ROLES)
    if role not in roles:
        raise Failure(f'there is no role "{role}": choose from {", ".join(roles)}.')
    if not report.state(stack.containers(c).get("postgres")).startswith("running"):
        raise Failure('postgres is not running: "invoke up" starts it.')
    client = ["psql", "--username", role, "--dbname", database]
    if command:
        # The answer alone, for programs.
        asked = ["docker", "compose", "exec", "--no-TTY", "postgres", *client, "--command", command]
        answered = run(c, asked, in_stream=False)
    else:
        tty = [] if on_terminal() else ["--no-TTY"]
        answered = compose(c, "exec", *tty, "postgres", *client, in_stream=None)
    if not answered:
        raise Exit(code=1)


@task(name="runs", help={"end": "end those that have logged no metric for so many hours, as killed"})
def runs_(c, end=""):
    """Show the runs that MLflow calls running, or end those that are not."""
    stack.check_engine(c)
    limit = runs.hours(end) if end else None
    backing_up.check_healthy(c)
    now = runs.milliseconds()
    if limit is not None:
        print(f"Ended as killed: {len(runs.end(now - limit * 3_600_000, now))}.")
    if still := runs.found(now):
        console.table(runs.rows(still, now))
        print('\nA program that was killed cannot say so: "--end HOURS" ends what has logged no metric for so long.')
    else:
        print("No run is running.")


@task(changes=True)
def rotate(c):
    """Change all passwords and the token."""
    stack.check_engine(c)
    config = stack.settings(c)
    stack.own_containers(c, config["name"])
    passwords.renew(c, config)
    stack.start(c)


@task(changes=True)
def down(c):
    """Stop and remove the containers; all data stays."""
    stack.check_engine(c)
    # Refuses what another folder's toolbox of the same name has; so below.
    stack.containers(c)
    if not compose(c, "down", "--remove-orphans"):
        raise Failure("Docker could not stop everything: its own message is above.")


@task(changes=True, help={"yes": "delete it; without it, only show what would go"})
def clean(c, yes=False):
    """Show containers, images and volumes, and with --yes delete ALL DATA."""
    stack.check_engine(c)
    config = stack.settings(c)
    project = config["name"]
    running = stack.own_containers(c, project)
    present = stack.volumes(c, project)
    if present and not running and not stack.folder_of(c, project):
        raise Failure(
            f'nothing says whose data the volumes of {project} are: "invoke up" makes them those of this folder, and '
            '"docker compose down --volumes" deletes them whosever they are.'
        )
    doomed = ["its containers and its network"]
    doomed += [f"volume {name}" for name in present]
    doomed += [f"image {name}" for name in model.images(config) if stack.exists(c, "image", name)]
    # Without its data, the settings of a toolbox with a name would only keep its ports from others.
    doomed += [f"file {named.env().name}"] if named.current() else []
    print(f"This deletes for good, of the project {project}:", *doomed, sep="\n  ")
    if not yes:
        raise Failure("nothing was deleted: add --yes to delete all of that.")
    if not compose(c, "down", "--volumes", "--rmi", "local", "--remove-orphans"):
        raise Failure("Docker could not delete everything: its own message is above.")
    # Compose knows those of the present settings alone.
    if replaced := stack.volumes(c, project):
        visibly(c, ["docker", "volume", "rm", *replaced])
    if named.current():
        named.env().unlink()


@task(changes=True, help={"to": "the file to write; without it, one in backups/ with the date in its name"})
def backup(c, to=""):
    """Write all data into one file, while people work."""
    stack.check_engine(c)
    seconds = backing_up.timed()
    path = backing_up.make(c, stack.settings(c), to)
    print(backing_up.summary(path, seconds()))


@task(
    makes=True,
    changes=True,
    positional=["file"],
    help={"file": "the backup", "yes": "replace the data that are there"},
)
def restore(c, file, yes=False):
    """Replace all data by those of a backup, after checking it."""
    stack.check_engine(c)

    def started():
        if named.is_new() or report.state(stack.containers(c).get("postgres")) != "running healthy":
            up(c)

    restoring.run(c, Path(os.path.expanduser(file)).absolute(), started, yes)


@task(help={"keep": "delete all of them but this many, the newest"})
def backups(c, keep=""):
    """List the backups in backups/, or delete old ones."""
    count = backing_up.number(keep) if keep else None
    if count:
        for path in backing_up.prune(count):
            print(f"Deleted {path.name}")
    backing_up.show(backing_up.kept())


@task(
    changes=True,
    help={
        "older-than": "how many days ago, at least, it was deleted in MLflow",
        "yes": "delete it; without it, only show what would go",
    },
)
def gc(c, older_than="30", yes=False):
    """Show what was deleted in MLflow, and with --yes free its disk space."""
    stack.check_engine(c)
    trash.run(c, older_than, yes)


@task(
    name="bases",
    changes=True,
    help={"official": "go back to the official images", "remove": "delete the images that were built here"},
)
def bases_(c, official=False, remove=False):
    """Use base images built from Debian packages, or the official ones."""
    stack.check_engine(c)
    stack.settings(c)
    if not official and not remove:
        stack.use_stand_ins(c, model.SERVICES, rebuild=True)
    if official:
        stack.use_official()
    if remove:
        for image in filter(lambda name: stack.exists(c, "image", name), bases.BUILT_HERE):
            visibly(c, ["docker", "image", "rm", image])


@failure.task(
    name="test",
    help={
        "all": "all tests: about 45 minutes on two cores",
        "only": "of all tests, those whose path or name contains this",
        "keep": "leave the tests' toolbox running, and print how to use and delete it",
    },
)
def run_tests(c, all=False, only="", keep=False):
    """Test the toolbox, on one of the tests' own, in about five minutes."""
    if all:
        print("All tests take about 45 minutes on two cores: also faults, full disks, upgrades and a browser.")
    # Those that need a running toolbox share one. With all tests, each process has its own.
    chosen = ["--dist", "loadfile", "--no-loadscope-reorder"] if all or only else ["--dist", "loadgroup", *QUICK_TESTS]
    chosen += [*(["-k", only] if only else []), *(["--keep"] if keep else [])]
    if not visibly(c, [*tool("pytest"), "--numprocesses", "2", *chosen], in_stream=None):
        raise Exit(code=1)


def become(module, *options):
    """Run a program of the repository in place of this process, so that it gets Ctrl-C and SIGTERM, and cleans up."""
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", module, *options])


@failure.task(
    help={
        "quick": "a few minutes' worth of figures, with a few samples of each",
        "compare": "a speed.json of another run, to say what has moved since",
        "only": "measure one section",
    },
)
def bench(c, quick=False, compare="", only=""):
    """Measure speed and memory against a plain setup."""
    stack.check_engine(c)
    options = [*(["--quick"] if quick else []), *(["--compare", os.path.abspath(compare)] if compare else [])]
    options += ["--only", only] if only else []
    become("benchmarks.run", *options)


@failure.task
def pictures(c):
    """Make new screenshots for the README."""
    stack.check_engine(c)
    become("tests.support.screenshots")


@failure.task
def lint(c):
    """Check the files that git knows with the hooks of .pre-commit-config.yaml."""
    if not visibly(c, [*tool("pre_commit"), "run", "--all-files"]):
        raise Failure(
            "a check did not pass: what it found is above; formatting and outputs of notebooks are corrected by now."
        )


@failure.task
def lock(c):
    """Pin the packages of every requirements.in, with hashes."""
    uv = [*tool("uv"), "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    for folder, python in LOCKED.items():
        output, listed = (str(Path(folder, f"requirements.{end}")) for end in ("txt", "in"))
        options = ["--custom-compile-command", "invoke lock", "--python-version", python, "--output-file", output]
        if (ROOT / folder / "left-out.txt").exists():
            options += ["--overrides", f"{folder}/left-out.txt"]
        if not visibly(c, [*uv, *options, listed]):
            raise Failure(f"{output} could not be made: uv's message is above.")


# How `./run` shows them.
GROUPS = {
    "Start and stop": [up, down, clean],
    "Use": [open_, status, doctor, logs, psql, runs_],
    "Data": [backup, backups, restore, gc],
    "Versions and passwords": [build, upgrade, rotate, bases_],
    "Develop the toolbox": [run_tests, lint, lock, bench, pictures],
}

if __name__ == "__main__":
    program.Program(sys.modules[__name__], GROUPS).run()
