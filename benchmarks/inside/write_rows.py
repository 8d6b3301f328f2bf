"""Write rows to Postgres as fast as one connection can: one per transaction, then many per statement.

Arguments: the database, and the seconds for each way. Prints the rows per second of each way, as JSON.
"""

import json
import sys
import time
from contextlib import closing

import psycopg2
from psycopg2.extras import execute_values

ROWS_PER_STATEMENT = 1000
ROW = ("0123456789abcdef0123456789abcdef", "loss", 0.5)
database, seconds = sys.argv[1], float(sys.argv[2])


def rate(write, rows):
    """Return the rows per second when each call of `write` writes that many rows."""
    start, calls = time.perf_counter(), 0
    while (took := time.perf_counter() - start) < seconds:
        write()
        calls += 1
    return calls * rows / took


with closing(psycopg2.connect(dbname=database)) as connection:
    # Every statement is a transaction.
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE bench_limits (run varchar(32), key varchar(250), value double precision)")
    insert = "INSERT INTO bench_limits (run, key, value) VALUES "
    rows = [ROW] * ROWS_PER_STATEMENT
    try:
        one = rate(lambda: cursor.execute(f"{insert} (%s, %s, %s)", ROW), 1)
        many = rate(lambda: execute_values(cursor, f"{insert} %s", rows, page_size=len(rows)), len(rows))
        print(json.dumps([one, many]))
    finally:
        cursor.execute("DROP TABLE bench_limits")
