"""Deleting a toolbox with all its data."""

from .compose import IN_ORDER
from .errors import Failure


def clean(toolbox, yes):
    """Print what a toolbox consists of, and delete it if `yes`.

    Raises Failure when it is not deleted, or the owner of its data is unknown.
    """
    running, volumes = toolbox.own_containers(), toolbox.volumes()
    if volumes and not running and not toolbox.owner():
        raise Failure(
            f'the owner of the volumes of {toolbox.project} is unknown: "invoke up" assigns them to this clone, and '
            '"docker compose down --volumes" deletes them in any case.'
        )
    images = [name for name in map(toolbox.image, IN_ORDER) if toolbox.has("image", name)]
    there = ["its containers and its network", *(f"volume {name}" for name in volumes)]
    there += [f"image {name}" for name in images]
    # Without data, the settings of a named toolbox would only reserve its ports.
    there += [f"file {toolbox.env.name}"] if toolbox.name else []
    print(f"This permanently deletes, of the project {toolbox.project}:", *there, sep="\n  ")
    if not yes:
        raise Failure("nothing was deleted: add --yes to delete all of that.")
    if not toolbox.compose("down", "--volumes", "--rmi", "local", "--remove-orphans"):
        raise Failure("Docker could not delete everything: its own message is above.")
    # Compose removes only the volumes of the current configuration.
    if replaced := toolbox.volumes():
        toolbox.show("docker", "volume", "rm", *replaced)
    if toolbox.name:
        toolbox.env.unlink()
