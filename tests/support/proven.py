"""The claims that a test run has proven: those of the files whose tests have all passed."""

from collections import Counter

PROPERTY = "claim"
# One claim for each layer with many small files.
LAYERS = {
    "unit": "Without Docker: functions decide correctly, and so do the programs in the images.",
    "tasks": "Without Docker: tasks run the right commands, and reject bad input.",
    "config": "Without Docker: settings, configuration, locks, documentation and examples are consistent.",
}


def claim(item):
    """Return the claim that a test helps to prove: that of its layer, or the first line of its file."""
    layer = item.path.relative_to(item.config.rootpath / "tests").parts[0]
    return LAYERS.get(layer) or item.module.__doc__.splitlines()[0]


def table(stats):
    """Return the lines of the table of claims with the number of passed tests, from pytest's reports by outcome.

    Claims with a failed test, or without any, are left out.
    """
    claims = {
        # A file that could not be collected has no properties.
        outcome: Counter(dict(getattr(it, "user_properties", ())).get(PROPERTY) for it in stats.get(outcome, ()))
        for outcome in ("passed", "failed", "error")
    }
    broken = claims["failed"] | claims["error"]
    proven = [f"{count:5}  {text}" for text, count in claims["passed"].items() if text not in broken]
    return ["", "tests  proven", *proven, ""] if proven else []
