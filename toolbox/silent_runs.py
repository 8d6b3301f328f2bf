"""What `invoke runs` does: find the runs that MLflow calls running, and end those of programs that are gone.

MLflow learns that a run has ended from the program that logs it. One that was killed says nothing, so its run goes on
being called running. Whether a silent program is gone or only busy, a person has to say.
"""

import json
import re
import time

from . import console
from .data import backup, postgres
from .errors import Failure, one_line

# The last metrics of a run say when it was heard of. Their times are what its program says, so no later than now.
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
    """Print the runs that MLflow calls running, after ending those that are silent for so many hours, if that is given.

    Raises Failure when that is no number, or the toolbox is not healthy.
    """
    limit = hours(hours_silent) if hours_silent else None
    backup.check_healthy(toolbox)
    now = milliseconds()
    if limit is not None:
        print(f"Ended as killed: {len(end(toolbox, now - limit * 3_600_000, now))}.")
    if still := found(toolbox, now):
        console.table(rows(still, now))
        print('\nA program that was killed cannot say so: "--end HOURS" ends what has logged no metric for so long.')
    else:
        print("No run is running.")


def hours(text):
    """Return what was given to --end as a number of hours. Raises Failure when it is none."""
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise Failure(f"--end {one_line(text)} is not a number of hours: give a whole number from 0.")
    return int(text)


def found(toolbox, now):
    """Return (id, experiment, name, user, ms since 1970 when it was last heard of) of each running run, as of `now`."""
    return [
        tuple(json.loads(line)) for line in postgres.sql(toolbox, FOUND.format(heard=HEARD.format(now=now)), "mlflow")
    ]


def end(toolbox, limit, now):
    """End as killed the running runs that were last heard of at `limit` (ms since 1970) or before; return their ids."""
    return postgres.sql(toolbox, END.format(heard=HEARD.format(now=now), limit=limit), "mlflow")


def milliseconds():
    """Return the time as MLflow's tables have it, in ms since 1970."""
    return int(time.time() * 1000)


def rows(runs, now):
    """Return the rows of a table of what `found` returned."""
    return [
        TITLES,
        *((silence(now - heard), cut(where), cut(name), cut(who), id_) for id_, where, name, who, heard in runs),
    ]


def cut(text):
    """Return a name, or the beginning of a long one."""
    text = one_line(text or "-")
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


def silence(milliseconds):
    """Return a duration as people say it: 40 min, 5 h or 3 d."""
    minutes = max(0, milliseconds) // 60_000
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"
