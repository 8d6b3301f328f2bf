"""The task `gc`; toolbox/inside/deleted_runs.py does the work inside the mlflow container."""

import json
import re
from pathlib import Path

from rich.filesize import decimal as human_size

from ..errors import Failure, one_line
from . import backup, volumes

PROGRAM = (Path(__file__).parents[1] / "inside" / "deleted_runs.py").read_text()
KINDS = {"runs": "run", "experiments": "experiment", "models": "model"}


def parse_days(text):
    """Return the value of --older-than as a number. Raises Failure if it is not a whole number of days."""
    if not re.fullmatch("[0-9]{1,6}", text):
        raise Failure(f"--older-than {one_line(text)} is not a number of days: give a whole number from 0.")
    return int(text)


def run(toolbox, older_than, yes):
    """Print what was deleted in MLflow at least `older_than` days ago; if `yes`, delete it permanently.

    Raises Failure if the toolbox is not healthy, or something cannot be deleted; the rest is deleted anyway.
    """
    count = parse_days(older_than)
    backup.check_healthy(toolbox)
    with backup.exit_on_signals():
        found = run_program(toolbox, "find", count)
        print(*summary(found, count), sep="\n", flush=True)
        if not any(found[kind] for kind in KINDS):
            return
        if not yes:
            print("Nothing was deleted: add --yes to delete it permanently.")
            return
        problems = run_program(toolbox, "delete", found["limit"])
    if problems:
        raise Failure(
            f"{len(problems)} could not be deleted, the rest is gone ({problems[0]}): correct that, and run it again."
        )
    print("Deleted permanently.")


def run_program(toolbox, action, limit):
    """Run toolbox/inside/deleted_runs.py in the mlflow container; return the JSON that it prints."""
    command = volumes.exec_command("artifacts", "python", "-c", PROGRAM, action, str(limit))
    what = "cannot find what was deleted in MLflow: see the message, and run it again"
    return json.loads(toolbox.output(command, what))


def summary(found, count):
    """Return the lines that describe `found`, which deleted_runs.main printed for an age of `count` days."""
    age = f"at least {count} days ago" if count else "so far"
    if not any(found[kind] for kind in (*KINDS, "needed", "busy", "elsewhere")):
        return [f"Nothing was deleted in MLflow {age}."]
    numbers = [f"{found[kind]} {word if found[kind] == 1 else f'{word}s'}" for kind, word in KINDS.items()]
    size = f"{human_size(found['bytes'])} ({found['bytes']} bytes)"
    lines = [f"Deleted in MLflow {age}: {', '.join(numbers)}, whose files take {size}."]
    if found["needed"]:
        lines.append(f"{found['needed']} kept: registered model versions need them.")
    if found["busy"]:
        lines.append(
            f"{found['busy']} kept: MLflow lists them as running, and they were active within the last day, so their "
            "programs may still write."
        )
    if found["elsewhere"]:
        lines.append(f"{found['elsewhere']} kept: their files are not in the artifact store.")
    return lines
