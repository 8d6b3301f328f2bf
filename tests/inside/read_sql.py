"""Read a run by its ID, the argument, with SQL and without a password in the code, and print it as JSON."""

import json
import sys
from contextlib import closing

import psycopg2

with closing(psycopg2.connect("")) as connection, connection.cursor() as cursor:

    def rows(query):
        cursor.execute(query, {"run": sys.argv[1]})
        return cursor.fetchall()

    json.dump(
        {
            "role": rows("SELECT current_user")[0][0],
            "status": rows("SELECT status FROM runs WHERE run_uuid = %(run)s")[0][0],
            "params": dict(rows("SELECT key, value FROM params WHERE run_uuid = %(run)s")),
            "losses": rows("SELECT step, value FROM metrics WHERE run_uuid = %(run)s AND key = 'loss' ORDER BY step"),
            "team": rows("SELECT value FROM tags WHERE run_uuid = %(run)s AND key = 'team'")[0][0],
        },
        sys.stdout,
    )
