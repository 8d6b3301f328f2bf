"""The results: a table of both sides, their ratios and the targets, as Markdown and JSON, and comparisons of tables."""

import json
import statistics
from typing import NamedTuple

from toolbox.errors import Failure, one_line

FORMAT = "data-toolbox bench 1"
SIDES = ("stock", "ours")
# A smaller change than this is noise, whatever the spread of a few rounds.
MIN_CHANGE = 1.1
# With a single sample, which has no spread.
MIN_CHANGE_SINGLE = 1.5


class Target(NamedTuple):
    """What a row must reach: a `ratio`, a value (`most`), or `times` the value of another row of its section.

    A condition that is None does not apply.
    """

    section: str
    what: str
    ratio: float | None = None
    most: float | None = None
    times: float | None = None
    other: str | None = None

    def __str__(self):
        conditions = []
        if self.ratio is not None:
            conditions.append(f"{self.ratio:g} times better")
        if self.most is not None:
            conditions.append(f"at most {self.most:g}")
        if self.times is not None:
            conditions.append(f"at most {self.times:g} times that of {self.other}")
        return ", ".join(conditions)

    def is_met(self, row, rows):
        """Return whether a row meets it, or None if unknown; `rows` are all rows by section and name."""
        ours = row.median("ours")
        other = rows.get((self.section, self.other))
        checks = []
        if self.ratio is not None:
            checks.append(None if row.ratio is None else row.ratio >= self.ratio)
        if self.most is not None:
            checks.append(None if ours is None else ours <= self.most)
        if self.times is not None:
            known = ours is not None and other is not None and other.median("ours")
            checks.append(ours <= self.times * other.median("ours") if known else None)
        return None if None in checks else all(checks)


TARGETS = [
    Target("start", "first metric, filled volumes", ratio=2),
    Target("memory", "mlflow, idle", ratio=5, most=420),
    Target("images", "mlflow, beyond its base", ratio=2),
    Target("one client", "/health, p50", ratio=20),
    Target("one client", "log-metric, p50", ratio=5),
    Target("one client", "log-batch of 1000 rows, 10 keys, p50", ratio=1.4),
    Target("many clients", "16 clients", ratio=1.8),
    Target("many clients", "100 clients, errors", most=0),
    Target("many clients", "100 clients, p99", most=2000),
    Target("training loop", "1000 log_metric calls", ratio=5),
    Target("training loop", "1000 log_metric calls, ours buffered", ratio=50),
    Target("growth", "first page, 100,000 runs, p50", times=1.5, other="first page, 1,000 runs, p50"),
    Target("growth", "ordered by a metric, 100,000 runs, p50", times=3, other="ordered by a metric, 1,000 runs, p50"),
]


class Row:
    """One measurement, with the samples of each side: one per round, in `unit`."""

    def __init__(self, section, what, unit, samples=None):
        self.section = section
        self.what = what
        self.unit = unit
        self.samples = samples or {side: [] for side in SIDES}

    def median(self, side):
        """Return the median of a side, or None without samples."""
        return statistics.median(self.samples[side]) if self.samples[side] else None

    def better(self, stock, ours):
        """Return how many times better our value is than that of stock, or None if that is not a number."""
        if self.unit.endswith("/s"):
            stock, ours = ours, stock
        return stock / ours if stock and ours else None

    @property
    def ratio(self):
        """How many times better our median is than that of stock; None if one is missing or zero."""
        return self.better(self.median("stock"), self.median("ours"))

    @property
    def spread(self):
        """The lowest and highest ratio of a round, or None. If the sides have different rounds: of any two samples."""
        stock, ours = (self.samples[side] for side in SIDES)
        pairs = zip(stock, ours, strict=True) if len(stock) == len(ours) else [(a, b) for a in stock for b in ours]
        ratios = [self.better(*pair) for pair in pairs]
        return (min(ratios), max(ratios)) if ratios and None not in ratios else None

    def target(self):
        """Return the target for this row, or None."""
        return next((target for target in TARGETS if (target.section, target.what) == (self.section, self.what)), None)


class Table:
    """All rows; `about`, a dictionary of versions and machine; and `failed`, the sections that failed."""

    def __init__(self, about=None):
        self.about = about or {}
        self.rows = {}
        self.failed = []

    def add(self, section, what, unit, side, value):
        """Add a sample of a side (`stock` or `ours`) to a row; the first one creates the row.

        More is better if the unit is a rate (ends with `/s`), otherwise less is.
        """
        row = self.rows.setdefault((section, what), Row(section, what, unit))
        row.samples[side].append(value)

    def of(self, section):
        """Return the rows of a section."""
        return [row for row in self.rows.values() if row.section == section]

    def verdict(self, row):
        """Return whether a row meets its target, as text; empty without a target."""
        target = row.target()
        if target is None:
            return ""
        verdicts = {True: "met", False: "MISSED", None: "not measured"}
        return f"{verdicts[target.is_met(row, self.rows)]}: {target}"

    def missed(self):
        """Return the rows that miss their target."""
        return [row for row in self.rows.values() if self.verdict(row).startswith("MISSED")]

    def cells(self, row):
        """Return the cells of a row in the table, as strings."""
        ratio, spread = row.ratio, row.spread
        return [
            row.what,
            row.unit,
            *(figure(row.median(side)) for side in SIDES),
            figure(ratio),
            f"{figure(spread[0])} to {figure(spread[1])}" if spread else "-",
            self.verdict(row),
        ]

    def line(self, row):
        """Return a row as a line of progress."""
        what, unit, stock, ours, ratio, spread, verdict = self.cells(row)
        values = f"{row.section}: {what}: stock {stock}, ours {ours} {unit}"
        comparison = f"; {ratio} times better ({spread})" if ratio != "-" else ""
        return f"{values}{comparison}{f'; target {verdict}' if verdict else ''}"

    def markdown(self):
        """Return the table as Markdown, with a heading per section."""
        lines = [f"{name}: {value}  " for name, value in self.about.items()]
        lines += ["", "Medians; how many times better ours is, and the lowest and highest of the rounds."]
        for section in dict.fromkeys(row.section for row in self.rows.values()):
            lines += ["", f"## {section.capitalize()}", ""]
            lines += [
                "| what | unit | stock | ours | times better | spread | target |",
                "|---|---|--:|--:|--:|---|---|",
            ]
            lines += [f"| {' | '.join(self.cells(row))} |" for row in self.of(section)]
        return "\n".join(lines).strip() + "\n"

    def json(self):
        """Return the table as JSON, which `load` reads; medians and ratios are for other programs."""
        rows = [
            {
                "section": row.section,
                "what": row.what,
                "unit": row.unit,
                "samples": row.samples,
                "median": {side: row.median(side) for side in SIDES},
                "ratio": row.ratio,
                "spread": row.spread,
                "target": self.verdict(row),
            }
            for row in self.rows.values()
        ]
        return json.dumps({"format": FORMAT, "about": self.about, "rows": rows}, indent=2) + "\n"


def figure(value):
    """Return a number with three significant digits, or a dash for None."""
    if value is None:
        return "-"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def load(path):
    """Return the Table in a file that `Table.json` wrote. Raises Failure if it is missing or invalid."""
    remedy = 'name a speed.json that "invoke dev.bench" wrote'
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"{path} cannot be read ({error.strerror}): {remedy}.") from None
    except ValueError as error:
        raise Failure(f"{path} is not JSON ({one_line(str(error))}): {remedy}.") from None
    file_format = data.get("format") if isinstance(data, dict) else None
    if file_format != FORMAT:
        raise Failure(
            f'{path} has another format ({file_format or "none"}, not "{FORMAT}"): {remedy}, of this version.'
        )
    try:
        table = Table(data["about"])
        for row in data["rows"]:
            samples = {side: [float(value) for value in row["samples"][side]] for side in SIDES}
            table.rows[row["section"], row["what"]] = Row(row["section"], row["what"], row["unit"], samples)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Failure(f"{path} is damaged, required fields are missing: {remedy}.") from None
    return table


def compare(old, new):
    """Return a line for each row of ours that changed between two Tables by more than its spread."""
    lines = [
        f"{name} was {old.about.get(name)}, and is {new.about.get(name)}: figures may differ for this reason."
        for name in ("machine", "run", "mlflow")
        if old.about.get(name) != new.about.get(name)
    ]
    changes = [line for key, row in new.rows.items() if key in old.rows and (line := change(old.rows[key], row))]
    both = [key for key in new.rows if key in old.rows]
    lines += changes or [f"No change in {len(both)} rows."]
    if missing := len(old.rows.keys() ^ new.rows.keys()):
        lines.append(f"{missing} rows are in only one of the two.")
    return lines


def change(old, new):
    """Return how ours changed between two versions of a row, or None if not by more than the spread."""
    before, after = old.samples["ours"], new.samples["ours"]
    if not before or not after or not (max(before) < min(after) or max(after) < min(before)):
        return None
    was, now = old.median("ours"), new.median("ours")
    factor = new.better(was, now)
    threshold = MIN_CHANGE_SINGLE if 1 in (len(before), len(after)) else MIN_CHANGE
    if factor is not None and 1 / threshold < factor < threshold:
        return None
    by = "" if factor is None else f", {figure(max(factor, 1 / factor))} times"
    word = "better" if (now > was) == new.unit.endswith("/s") else "worse"
    ratios = f"; ratio {figure(old.ratio)}, now {figure(new.ratio)}" if old.ratio and new.ratio else ""
    return f"{new.section}: {new.what}: ours {figure(was)}, now {figure(now)} {new.unit}{by} {word}{ratios}"
