"""What the tests of a run have proven: the claims of the files whose tests have all passed."""

from collections import Counter

PROPERTY = "claim"
# The layers whose files are many and small.
LAYERS = {
    "unit": "Without Docker: what the functions decide, and what the programs of the images do.",
    "tasks": "Without Docker: what the tasks tell Docker, and how they refuse bad input.",
    "config": "Without Docker: settings, configuration, locks, documentation and examples fit together.",
}


def claim(item):
    """Return what a test helps to prove: the claim of its layer, or the first line of its file."""
    layer = item.path.relative_to(item.config.rootpath / "tests").parts[0]
    return LAYERS.get(layer) or item.module.__doc__.splitlines()[0]


def table(stats):
    """Return the lines of the table, from pytest's reports by outcome: claims, with the number of tests that passed.

    A claim of which a test failed, or none ran, is not there.
    """
    claims = {
        # What could not even be read has no properties.
        outcome: Counter(dict(getattr(it, "user_properties", ())).get(PROPERTY) for it in stats.get(outcome, ()))
        for outcome in ("passed", "failed", "error")
    }
    broken = claims["failed"] | claims["error"]
    proven = [f"{count:5}  {text}" for text, count in claims["passed"].items() if text not in broken]
    return ["", "tests  proven", *proven, ""] if proven else []
