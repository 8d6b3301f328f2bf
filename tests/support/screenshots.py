"""The pictures of the README, docs/jupyterlab.png and docs/mlflow.png: `invoke dev.pictures` runs this program.

They are what a browser shows of the first example, on a toolbox of its own that is gone afterwards.
"""

import shutil
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import stacks
from tests.support import browsing, first_example
from tests.support.copies import JUPYTER_TOKEN, ROOT
from toolbox.errors import Failure, one_line

# Which picture of the visits each of them is.
PICTURES = {"jupyterlab.png": "the-outputs.png", "mlflow.png": "the-comparison.png"}
# A longer message is the output of a program, and says at its end what was wrong.
MESSAGE_CHARACTERS = 500


def main(folder=ROOT / "docs"):
    """Make the pictures in a folder; end with exit code 1 and a line when something is wrong."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            take(Path(scratch), folder)
    except Failure as failure:
        sys.exit(failure.message)
    except AssertionError as error:
        cause = one_line(str(error))[-MESSAGE_CHARACTERS:]
        sys.exit(f'FAIL: the pictures could not be made ({cause}): "invoke test --only pages" says more.')
    except KeyboardInterrupt:
        sys.exit("FAIL: interrupted: nothing is left of the toolbox, start again when it suits.")


def take(scratch, folder):
    """Take the pictures into `folder`, with a toolbox whose files are in the folder `scratch`.

    Raises Failure or AssertionError when something does not work.
    """
    toolbox = stacks.Ours(scratch / "toolbox")
    try:
        toolbox.build()
        toolbox.up()
        browsing.build(toolbox)
        shown = scratch / "pictures"
        shown.mkdir()
        browsing.visit(
            toolbox,
            shown,
            "run_notebook.py",
            token=JUPYTER_TOKEN,
            **first_example.NOTEBOOK,
        )
        browsing.visit(toolbox, shown, "find_run.py", **first_example.champion(toolbox), large=True)
        for name, picture in PICTURES.items():
            shutil.copyfile(shown / picture, folder / name)
            print(f"Wrote {folder / name}.")
    finally:
        # Someone impatient would leave half of it behind.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        toolbox.remove()


if __name__ == "__main__":
    main()
