"""Draw how many times better ours is than stock: read the JSON of the table, print a PNG in base64, as JSON."""

import base64
import io
import json
import sys

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

# The most telling rows, by section and name, with the labels of their bars.
HEADLINES = {
    ("one client", "/health, p50"): "an answer to /health",
    ("one client", "log-metric, p50"): "log a metric",
    ("one client", "log-batch of 1000 rows, 10 keys, p50"): "log 1,000 metrics in a batch",
    ("one client", "search 100 runs, p50"): "search 100 runs",
    ("many clients", "16 clients"): "16 clients: requests a second",
    ("many clients", "100 clients, p99"): "100 clients: 99 of 100 wait less",
    ("training loop", "1000 log_metric calls"): "training loop of 1,000 steps",
    ("training loop", "1000 log_metric calls, ours buffered"): "training loop, ours buffered",
    ("artifacts", "a large file up"): "upload of a large file",
    ("artifacts", "a large file down"): "download of a large file",
    ("memory", "mlflow, idle"): "memory of the server, idle",
    ("images", "mlflow, beyond its base"): "what the server's image adds",
    ("start", "first metric, filled volumes"): "start to the first metric",
}
BETTER, WORSE, PLAIN, FAINT = "#0f766e", "#b45309", "#334155", "#64748b"

rows = {(row["section"], row["what"]): row for row in json.load(sys.stdin)["rows"]}
bars = [(label, rows[key]) for key, label in HEADLINES.items() if key in rows and rows[key]["ratio"]]
bars.sort(key=lambda pair: pair[1]["ratio"])


def number(value):
    """Return a number, rounded for reading."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def values(row):
    """Return the text at the end of a bar: stock, ours and the unit."""
    unit, scale = row["unit"], 1
    if unit == "ms" and row["median"]["stock"] >= 1000:
        unit, scale = "s", 1000
    return f"{number(row['median']['stock'] / scale)} → {number(row['median']['ours'] / scale)} {unit}"


plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 12, "text.color": PLAIN, "ytick.color": PLAIN})
figure, axes = plt.subplots(figsize=(8.8, 0.42 * len(bars) + 1.3), dpi=150, layout="constrained")
ratios = [row["ratio"] for _, row in bars]
colors = [BETTER if ratio >= 1 else WORSE for ratio in ratios]
axes.barh(range(len(bars)), [ratio - 1 for ratio in ratios], left=1, color=colors, height=0.62)
axes.set_xscale("log")
low, high = min([*ratios, 1]), max([*ratios, 2])
axes.set_xlim(low * 0.8, high * (high / low) ** 0.55)
for position, (_, row) in enumerate(bars):
    end = max(row["ratio"], 1)
    axes.annotate(
        f"{number(row['ratio'])}\N{MULTIPLICATION SIGN}",
        (end, position),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        weight="bold",
    )
    axes.annotate(
        values(row),
        (1, position),
        xycoords=("axes fraction", "data"),
        va="center",
        ha="right",
        color=FAINT,
        fontsize=10.5,
    )
axes.axvline(1, color=FAINT, linewidth=1)
axes.set_yticks(range(len(bars)), [label for label, _ in bars])
axes.set_xticks([])
axes.minorticks_off()
axes.tick_params(length=0)
axes.spines[:].set_visible(False)
figure.suptitle("How many times better than a plain MLflow setup", x=0.02, ha="left", weight="bold", fontsize=13)
axes.set_title("logarithmic scale", loc="left", color=FAINT, fontsize=10.5)
axes.set_title("plain → Data Toolbox", loc="right", color=FAINT, fontsize=10.5)
png = io.BytesIO()
figure.savefig(png, format="png", facecolor="white")
print(json.dumps(base64.b64encode(png.getvalue()).decode()))
