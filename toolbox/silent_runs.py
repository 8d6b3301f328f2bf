"""The task `runs`: list the runs with the status RUNNING, and end those whose programs are gone.

The program that logs a run also reports its end. If it was killed, the run keeps the status RUNNING. Only people know
whether a silent program is gone or busy.
"""

import json
import re
import time

from . import console
from .data import backup, postgres
from .errors import Failure, one_line

# The last metrics of a run show when it was last active. Programs choose their times, so limit them to now.
HEARD = """
    SELECT runs.run_uuid, greatest(runs.start_time, least(max(metric.timestamp), {now})) AS heard
    FROM runs LEFT JOIN latest_metrics AS metric USING (run_uuid)
    WHERE runs.status = 'RUNNING' AND runs.lifecycle_stage = 'active'
    GROUP BY runs.run_uuid, runs.start_time
"""
FOUND = """
SET search_path = public, pg_catalog;
SELECT json_build_array(run_uuid, experiment.name, runs.name, runs.user_id, heard)
FROM ({heard}) AS silent JOIN runs USING (run_uuid) JOIN experiments AS experiment USING (experiment_id)
ORDER BY heard;
"""
END = """
SET search_path = public, pg_catalog;
UPDATE runs SET status = 'KILLED', end_time = heard FROM ({heard}) AS silent
WHERE silent.run_uuid = runs.run_uuid AND runs.status = 'RUNNING' AND heard <= {limit}
RETURNING runs.run_uuid;
"""
TITLES = ("SILENT", "EXPERIMENT", "RUN", "USER", "ID")
LONGEST_NAME = 12


def show(toolbox, hours_silent):
    """Print the runs with the status RUNNING, after ending those that were silent for `hours_silent`, if it is given.

    Raises Failure when that is not a number, or the toolbox is not healthy.
    """
    limit = hours(hours_silent) if hours_silent else None
    backup.check_healthy(toolbox)
    now = milliseconds()
    if limit is not None:
        print(f"Ended as killed: {len(end(toolbox, now - limit * 3_600_000, now))}.")
    if still := found(toolbox, now):
        console.table(rows(still, now))
        print('\nA killed program cannot end its run: "--end HOURS" ends runs without a new metric for that long.')
    else:
        print("No run is running.")


def hours(text):
    """Return the value of --end as a number of hours. Raises Failure when it is not one."""
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise Failure(f"--end {one_line(text)} is not a number of hours: give a whole number from 0.")
    return int(text)


def found(toolbox, now):
    """Return (id, experiment, name, user, time of its last metric in ms since 1970) of each running run at `now`."""
    return [
        tuple(json.loads(line)) for line in postgres.sql(toolbox, FOUND.format(heard=HEARD.format(now=now)), "mlflow")
    ]


def end(toolbox, limit, now):
    """Set running runs without a metric after `limit` (ms since 1970) to KILLED; return their ids."""
    return postgres.sql(toolbox, END.format(heard=HEARD.format(now=now), limit=limit), "mlflow")


def milliseconds():
    """Return the current time as in MLflow's tables, in ms since 1970."""
    return int(time.time() * 1000)


def rows(runs, now):
    """Return the rows of the table of what `found` returned."""
    return [
        TITLES,
        *((silence(now - heard), cut(where), cut(name), cut(who), id_) for id_, where, name, who, heard in runs),
    ]


def cut(text):
    """Return a name, truncated to LONGEST_NAME."""
    text = one_line(text or "-")
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


def silence(milliseconds):
    """Return a duration in its largest suitable unit: 40 min, 5 h or 3 d."""
    minutes = max(0, milliseconds) // 60_000
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"
