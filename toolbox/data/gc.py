"""What `invoke gc` does; toolbox/inside/deleted_runs.py does it inside the mlflow container."""

import json
import re
from pathlib import Path

from rich.filesize import decimal as human_size

from ..errors import Failure, one_line
from . import backup, volumes

PROGRAM = (Path(__file__).parents[1] / "inside" / "deleted_runs.py").read_text()
KINDS = {"runs": "run", "experiments": "experiment", "models": "model"}


def days(text):
    """Return what was given to --older-than as a number. Raises Failure when it is no whole number of days."""
    if not re.fullmatch("[0-9]{1,6}", text):
        raise Failure(f"--older-than {one_line(text)} is no number of days: give a whole number from 0.")
    return int(text)


def run(toolbox, older_than, yes):
    """Say what was deleted in MLflow at least `older_than` days ago, and delete that for good if `yes`.

    Raises Failure when the toolbox is not healthy, or something cannot be deleted; the rest is deleted all the same.
    """
    count = days(older_than)
    backup.check_healthy(toolbox)
    with backup.tidy():
        found = sweep(toolbox, "find", count)
        print(*told(found, count), sep="\n", flush=True)
        if not any(found[kind] for kind in KINDS):
            return
        if not yes:
            print("Nothing was deleted: add --yes to delete it for good.")
            return
        problems = sweep(toolbox, "delete", found["limit"])
    if problems:
        raise Failure(
            f"{len(problems)} could not be deleted, the rest is gone ({problems[0]}): mend that, and run it again."
        )
    print("All of that is deleted for good.")


def sweep(toolbox, action, limit):
    """Have toolbox/inside/deleted_runs.py do an action inside the mlflow container; return what it printed."""
    command = volumes.running("artifacts", "python", "-c", PROGRAM, action, str(limit))
    what = "what was deleted in MLflow cannot be looked through: see what it says, and run it again"
    return json.loads(toolbox.output(command, what))


def told(found, count):
    """Return the lines that say what `found` says, which is what sweep.main prints, and that was asked for."""
    age = f"{count} days ago or before" if count else "until now"
    if not any(found[kind] for kind in (*KINDS, "needed", "busy", "elsewhere")):
        return [f"Nothing was deleted in MLflow {age}."]
    numbers = [f"{found[kind]} {word if found[kind] == 1 else f'{word}s'}" for kind, word in KINDS.items()]
    size = f"{human_size(found['bytes'])} ({found['bytes']} bytes)"
    lines = [f"Deleted in MLflow {age}: {', '.join(numbers)}, whose files take {size}."]
    if found["needed"]:
        lines.append(f"Of what was deleted, {found['needed']} stay, because versions of registered models need them.")
    if found["busy"]:
        lines.append(
            f"Of what was deleted, {found['busy']} stay, because their programs may still write: they are called "
            "running, and were heard of within a day."
        )
    if found["elsewhere"]:
        lines.append(
            f"Of what was deleted, {found['elsewhere']} stay, because their files are not in the artifact store."
        )
    return lines
