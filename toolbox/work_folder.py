"""The folder of this machine that is ~/work in the notebook, if WORK_FOLDER names one, and who owns what there."""

from pathlib import Path

from .errors import Failure

TARGET = "/home/jovyan/work"
HOME = "/home/jovyan"
# The UID that owns the home in the image, and so in a new volume.
IMAGE_USER = "1000"
# Prints the owner of a folder as the container sees it, and whether the container's user can make files there.
LOOK = 'stat -c %u "$1"; [ -w "$1" ] && [ -x "$1" ] && echo yes || echo no'


def folder(config):
    """Return the folder of this machine that is ~/work in the notebook, or None when it is in the volume."""
    mounts = config["services"]["notebook"].get("volumes", ())
    return next((Path(mount["source"]) for mount in mounts if mount["target"] == TARGET), None)


def user(config):
    """Return the number of the user that the notebook runs as, as text."""
    return config["services"]["notebook"].get("user", IMAGE_USER).partition(":")[0]


def check(config):
    """Raise Failure when WORK_FOLDER is no folder: Docker would make one that belongs to root."""
    path = folder(config)
    if path and not path.exists():
        raise Failure(f"the folder {path} does not exist: make it, or correct WORK_FOLDER in .env.")
    if path and not path.is_dir():
        raise Failure(f"{path} is no folder: correct WORK_FOLDER in .env.")


def adopt_owner(toolbox):
    """Have the notebook run as a user who can write to WORK_FOLDER and to the home.

    If the folder belongs to another user than the one of the notebook, that one is set in .env, and gets the home.
    Raises Failure when nobody but root can write to the folder.
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
    give_home(toolbox)


def unwritable(path, owner, present):
    """Return why a folder that the notebook's user cannot write is to stay so, or "" when its owner could be that user.

    `owner` and `present`, the user of the notebook, are numbers as text.
    """
    if owner == "0":
        return f'{path} belongs to root, and the notebook does not run as root: "chown {present} {path}".'
    if owner == present:
        return f'{path} cannot be written by its owner, user {owner}: "chmod u+rwx {path}".'
    return ""


def look(toolbox, source, target, kind):
    """Return the owner of a folder or volume as the notebook sees it, a number as text, and whether it can write it."""
    # As CSV has it: the name of a folder may have commas and quotes.
    quoted = source.replace('"', '""')
    as_user = ("--user", f"{user(toolbox.config)}:100")
    looked = run_once(toolbox, f'type={kind},"source={quoted}",target={target}', as_user, LOOK, "-", target)
    if not looked:
        raise Failure(f"{source} cannot be used as {target} ({looked.stderr.strip()}): correct WORK_FOLDER in .env.")
    owner, writable = looked.stdout.split()
    return owner, writable == "yes"


def give_home(toolbox):
    """Give the home to the user of the notebook, if it is another one's: what that one wrote could not be changed."""
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
    give = f"chown -hR {user(config)} {HOME}"
    if not run_once(toolbox, f"type=volume,source={volume},target={HOME}", rights, give):
        raise Failure(f'the home cannot be given to user {user(config)}: "invoke down", and try again.')


def run_once(toolbox, mount, options, *script):
    """Run a shell script, with its arguments, in a container of the notebook's image that has one mount."""
    least = ("--rm", "--pull", "never", "--network", "none", "--cap-drop", "ALL", "--entrypoint", "sh")
    place = ("--mount", mount, *options, toolbox.image("notebook"))
    return toolbox.run("docker", "run", *least, *place, "-c", *script)
