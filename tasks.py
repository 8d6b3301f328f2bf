"""The tasks of the toolbox. `./run` lists them, `./run help TASK` explains one."""

from invoke import Collection, Exit

from toolbox import (
    browser,
    cli,
    data,
    dev,
    diagnostics,
    images,
    removal,
    service_logs,
    service_status,
    silent_runs,
    sql_client,
    startup,
)
from toolbox.decorators import task
from toolbox.dev import lint, lock, run_tests


@task
def build(toolbox):
    """Build the images without starting anything."""
    images.build(toolbox)


@task(creates=True, changes=True, help={"insecure": "publish beyond this machine, if BIND_ADDRESS says so"})
def up(toolbox, insecure=False):
    """Build and start everything, wait until it is healthy, show the addresses."""
    startup.up(toolbox, insecure)


@task(changes=True)
def down(toolbox):
    """Stop and remove the containers; all data stays."""
    startup.down(toolbox)


@task(changes=True, help={"yes": "delete everything; without it, only show what would be deleted"})
def clean(toolbox, yes=False):
    """Show containers, images and volumes, and with --yes delete ALL DATA."""
    removal.clean(toolbox, yes)


@task(name="open", help={"service": "notebook or mlflow"})
def open_(toolbox, service="notebook"):
    """Open JupyterLab in the browser, logged in, or MLflow's page."""
    browser.show(toolbox, service)


@task(help={"json": "as JSON, for programs"})
def status(toolbox, json=False):
    """Show state, address, version, memory and disk space of each service."""
    service_status.show(toolbox, json)


@task(docker=False)
def doctor(toolbox):
    """Check the installation and suggest fixes; change nothing."""
    if not diagnostics.show(toolbox):
        raise Exit(code=1)


@task(
    help={
        "service": "secrets, postgres, migrate, mlflow or notebook; by default all",
        "follow": "continue until Ctrl-C",
        "tail": "how many of the newest lines of each service, or all",
        "since": "only newer lines: 10m, 2h, or a time such as 2026-11-28T09:30",
    }
)
def logs(toolbox, service="", follow=False, tail="100", since=""):
    """Show the newest log lines of the services."""
    service_logs.show(toolbox, service, follow, tail, since)


@task(help={"role": "analyst, mlflow or postgres", "database": "mlflow or datasets", "command": "SQL to run instead"})
def psql(toolbox, role="analyst", database="mlflow", command=""):
    """Open psql, or print the result of one SQL command."""
    if not sql_client.psql(toolbox, role, database, command):
        raise Exit(code=1)


@task(help={"end": "end those without a new metric for this many hours, as killed"})
def runs(toolbox, end=""):
    """Show the runs that are running according to MLflow, or end those that are not."""
    silent_runs.show(toolbox, end)


@task(changes=True, help={"to": "the file to write; by default one in backups/ with the date in its name"})
def backup(toolbox, to=""):
    """Write all data to one file, while people work."""
    data.backup.make(toolbox, to)


@task(docker=False, help={"keep": "delete all but this many of the newest"})
def backups(toolbox, keep=""):
    """List the backups in backups/, or delete old ones."""
    data.backup.show(toolbox, keep)


@task(
    creates=True,
    changes=True,
    positional=["file"],
    help={"file": "the backup", "yes": "replace existing data"},
)
def restore(toolbox, file, yes=False):
    """Replace all data with those of a backup, after checking it."""
    data.restore.run(toolbox, file, startup.ensure_running, yes)


@task(
    changes=True,
    help={
        "older-than": "only what was deleted in MLflow at least this many days ago",
        "yes": "delete it; without it, only show what would be deleted",
    },
)
def gc(toolbox, older_than="30", yes=False):
    """Show what was deleted in MLflow, and with --yes free its disk space."""
    data.gc.run(toolbox, older_than, yes)


@task(
    changes=True,
    help={
        "old-base": "base image of the Postgres that wrote the volume; by default the current one with that version",
        "insecure": "as with up",
    },
)
def upgrade(toolbox, old_base="", insecure=False):
    """Move the data to a new version of MLflow or Postgres, and start."""
    startup.upgrade_and_start(toolbox, old_base, insecure)


@task(changes=True)
def rotate(toolbox):
    """Change all passwords and the token."""
    startup.rotate(toolbox)


@task(
    changes=True,
    help={"official": "go back to the official images", "remove": "delete the base images that were built here"},
)
def bases(toolbox, official=False, remove=False):
    """Use base images built from Debian packages, or the official ones."""
    images.choose_bases(toolbox, official, remove)


# The groups in the help of `./run`.
GROUPS = {
    "Start and stop": [up, down, clean],
    "Use": [open_, status, doctor, logs, psql, runs],
    "Data": [backup, backups, restore, gc],
    "Versions and passwords": [build, upgrade, lock, rotate, bases],
    "Develop the toolbox": [run_tests, lint],
}
namespace = Collection(*(entry for group in GROUPS.values() for entry in group), dev=Collection.from_module(dev))

if __name__ == "__main__":
    cli.Program(namespace, GROUPS).run()
