from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg2
from psycopg2.extras import Json, RealDictCursor, execute_values

with psycopg2.connect(dbname="datasets") as connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
    cursor.execute("""CREATE TEMP TABLE everyday_types (
        id serial, doc jsonb, list int[], day date, at timestamptz, price numeric(10, 2), raw bytea)""")
    now = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    row = (Json({"tags": ["ä", "🎉"], "n": 1}), [1, 2], date(2026, 2, 3), now, Decimal("9.90"), b"\x00\xff")
    execute_values(cursor, "INSERT INTO everyday_types (doc, list, day, at, price, raw) VALUES %s", [row, row])
    cursor.execute("SELECT * FROM everyday_types WHERE doc @> '{\"n\": 1}' AND doc->'tags' ? 'ä' ORDER BY id")
    found = cursor.fetchall()
assert [item["id"] for item in found] == [1, 2]
assert found[0]["doc"] == {"tags": ["ä", "🎉"], "n": 1}
assert (found[0]["list"], found[0]["day"], found[0]["at"]) == ([1, 2], date(2026, 2, 3), now)
assert (found[0]["price"], bytes(found[0]["raw"])) == (Decimal("9.90"), b"\x00\xff")
