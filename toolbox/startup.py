"""Start and stop a whole toolbox. A step that fails ends the start with one line."""

from . import credentials, health, images, overrides, ports, services, settings, side_by_side, time_zones, work_folder
from .data import restore, upgrade
from .errors import Failure


def up(toolbox, insecure=False):
    """Build and start everything, and print the addresses; `insecure` allows publishing beyond this machine.

    Raises Failure when a step fails.
    """
    settings.check(toolbox)
    if toolbox.is_new:
        side_by_side.create(toolbox)
    side_by_side.set_page_host(toolbox)
    overrides.keep_no_proxy(toolbox)
    before = toolbox.own_containers()
    if not insecure:
        ports.check_loopback(toolbox.config)
    ports.check(toolbox.config, own=ports.published(before))
    work_folder.check(toolbox.config)
    toolbox.take_ownership()
    images.build(toolbox)
    time_zones.check(toolbox)
    work_folder.adopt_owner(toolbox)
    if not health.is_healthy(before.get("postgres")):
        services.start_database(toolbox)
    restore.recover_if_interrupted(toolbox)
    services.start(toolbox)


def upgrade_and_start(toolbox, old_base, insecure):
    """Move the data to another major version of Postgres, if the image has one, and start, as `up` does.

    `old_base` is the base image that can read the volume, or empty. Raises Failure when a step fails.
    """
    settings.check(toolbox)
    upgrade.migrate_databases(toolbox, old_base)
    up(toolbox, insecure)


def ensure_running(toolbox):
    """Start it unless its database is healthy. Raises Failure when that fails."""
    if toolbox.is_new or not health.is_healthy(toolbox.containers().get("postgres")):
        up(toolbox)


def rotate(toolbox):
    """Change all passwords and the token, and start with them. Raises Failure when that fails."""
    toolbox.own_containers()
    credentials.renew(toolbox)
    services.start(toolbox)


def down(toolbox):
    """Stop and remove the containers. Raises Failure when they belong to another clone, or Docker fails."""
    toolbox.containers()
    if not toolbox.compose("down", "--remove-orphans"):
        raise Failure("Docker could not stop everything: its own message is above.")
