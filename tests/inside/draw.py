"""Draw a figure with text of any script, as PNG, PDF and SVG and in several styles; print `warnings` as JSON."""

import io
import json
import logging
import sys
import warnings

import matplotlib
import seaborn

matplotlib.use("agg")
import matplotlib.pyplot as plt

STYLES = {
    "as it is": lambda: None,
    "seaborn": seaborn.set_theme,
    "a style": lambda: plt.style.use("seaborn-v0_8"),
    "another family": lambda: plt.rcParams.update({"font.family": "serif"}),
    "the defaults": plt.rcdefaults,
}

[letters] = sys.argv[1:]
log = io.StringIO()
logging.basicConfig(stream=log)
for name, style in STYLES.items():
    with plt.rc_context(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        style()
        figure, axes = plt.subplots()
        axes.set_title(letters, fontweight="bold")
        axes.set_xlabel(letters, fontstyle="italic")
        axes.text(0, 0, letters, fontfamily="Liberation Sans")
        for kind in ("png", "pdf", "svg"):
            figure.savefig(io.BytesIO(), format=kind)
        plt.close(figure)
    log.writelines(f"{name}: {warning.message}\n" for warning in caught)
print(json.dumps({"warnings": log.getvalue().splitlines()}))
