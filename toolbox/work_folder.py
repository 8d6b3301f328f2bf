"""WORK_FOLDER, the directory of this machine that is ~/work in the notebook, and the owner of the home."""

from pathlib import Path

from .errors import Failure

TARGET = "/home/jovyan/work"
HOME = "/home/jovyan"
# The UID that owns the home in the image, and so in a new volume.
IMAGE_USER = "1000"
# Prints the owner of a directory as the container sees it, and whether its user can create files there.
LOOK = 'stat -c %u "$1"; [ -w "$1" ] && [ -x "$1" ] && echo yes || echo no'


def folder(config):
    """Return the folder of this machine that is ~/work in the notebook, or None when it is in the volume."""
    mounts = config["services"]["notebook"].get("volumes", ())
    return next((Path(mount["source"]) for mount in mounts if mount["target"] == TARGET), None)


def user(config):
    """Return the UID of the notebook, as text."""
    return config["services"]["notebook"].get("user", IMAGE_USER).partition(":")[0]


def check(config):
    """Raise Failure unless WORK_FOLDER is a directory: Docker would create one that belongs to root."""
    path = folder(config)
    if path and not path.exists():
        raise Failure(f"the folder {path} does not exist: create it, or correct WORK_FOLDER in .env.")
    if path and not path.is_dir():
        raise Failure(f"{path} is not a directory: correct WORK_FOLDER in .env.")


def adopt_owner(toolbox):
    """Run the notebook as a user who can write to WORK_FOLDER, which becomes the owner of the home.

    If the notebook's user cannot write there, NOTEBOOK_UID in .env is set to the owner of the directory.
    Raises Failure if only root can write to it.
    """
    path = folder(toolbox.config)
    if path is None:
        return
    owner, writable = look(toolbox, str(path), TARGET, "bind")
    if not writable:
        if problem := unwritable(path, owner, user(toolbox.config)):
            raise Failure(problem)
        toolbox.say(f"{path} belongs to user {owner}: the notebook runs as that user now (NOTEBOOK_UID in .env).")
        toolbox.set(NOTEBOOK_UID=owner)
        if not look(toolbox, str(path), TARGET, "bind")[1]:
            raise Failure(f'{path} cannot be written by its owner, user {owner}: "chmod u+rwx {path}".')
    change_home_owner(toolbox)


def unwritable(path, owner, present):
    """Return why the notebook cannot run as the owner of a directory that it cannot write to, or "" if it can.

    `owner` and `present`, the user of the notebook, are UIDs as text.
    """
    if owner == "0":
        return f'{path} belongs to root, and the notebook does not run as root: "chown {present} {path}".'
    if owner == present:
        return f'{path} cannot be written by its owner, user {owner}: "chmod u+rwx {path}".'
    return ""


def look(toolbox, source, target, kind):
    """Return the UID, as text, that owns a directory or volume for the notebook, and whether it can write there."""
    # Quoted as in CSV: the path may contain commas and quotes.
    quoted = source.replace('"', '""')
    as_user = ("--user", f"{user(toolbox.config)}:100")
    looked = run_once(toolbox, f'type={kind},"source={quoted}",target={target}', as_user, LOOK, "-", target)
    if not looked:
        raise Failure(f"{source} cannot be used as {target} ({looked.stderr.strip()}): correct WORK_FOLDER in .env.")
    owner, writable = looked.stdout.split()
    return owner, writable == "yes"


def change_home_owner(toolbox):
    """Change the owner of the home to the notebook's user, which could not change the files of another one."""
    config = toolbox.config
    home = next(mount for mount in config["services"]["notebook"]["volumes"] if mount["target"] == HOME)
    volume = config["volumes"][home["source"]]["name"]
    if not toolbox.has("volume", volume):
        if user(config) == IMAGE_USER:
            return
        if not toolbox.compose("create", "notebook"):
            raise Failure("Docker could not create the notebook: its own message is above.")
    if look(toolbox, volume, HOME, "volume")[0] == user(config):
        return
    rights = ("--user", "0", "--cap-add", "CHOWN", "--cap-add", "DAC_READ_SEARCH")
    chown = f"chown -hR {user(config)} {HOME}"
    if not run_once(toolbox, f"type=volume,source={volume},target={HOME}", rights, chown):
        raise Failure(f'the owner of the home cannot be changed to user {user(config)}: "invoke down", and try again.')


def run_once(toolbox, mount, options, *script):
    """Run a shell script, with its arguments, in a container of the notebook's image that has one mount."""
    least = ("--rm", "--pull", "never", "--network", "none", "--cap-drop", "ALL", "--entrypoint", "sh")
    place = ("--mount", mount, *options, toolbox.image("notebook"))
    return toolbox.run("docker", "run", *least, *place, "-c", *script)
