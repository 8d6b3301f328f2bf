"""Deleting a toolbox with all its data."""

from .compose import IN_ORDER
from .errors import Failure


def clean(toolbox, yes):
    """Print what there is of a toolbox, and delete it if `yes`.

    Raises Failure when it is not deleted, or when nothing says whose data the volumes of its project are.
    """
    running, volumes = toolbox.own_containers(), toolbox.volumes()
    if volumes and not running and not toolbox.owner():
        raise Failure(
            f'nothing says whose data the volumes of {toolbox.project} are: "invoke up" makes them those of this '
            'folder, and "docker compose down --volumes" deletes them whosever they are.'
        )
    images = [name for name in map(toolbox.image, IN_ORDER) if toolbox.has("image", name)]
    there = ["its containers and its network", *(f"volume {name}" for name in volumes)]
    there += [f"image {name}" for name in images]
    # Without its data, the settings of a toolbox with a name would only keep its ports from others.
    there += [f"file {toolbox.env.name}"] if toolbox.name else []
    print(f"This deletes for good, of the project {toolbox.project}:", *there, sep="\n  ")
    if not yes:
        raise Failure("nothing was deleted: add --yes to delete all of that.")
    if not toolbox.compose("down", "--volumes", "--rmi", "local", "--remove-orphans"):
        raise Failure("Docker could not delete everything: its own message is above.")
    # Compose knows those of the present settings alone.
    if replaced := toolbox.volumes():
        toolbox.show("docker", "volume", "rm", *replaced)
    if toolbox.name:
        toolbox.env.unlink()
