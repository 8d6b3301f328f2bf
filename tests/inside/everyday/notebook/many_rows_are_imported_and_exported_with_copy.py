import io

import pandas as pd
import psycopg2

rows = pd.DataFrame({"id": range(20_000), "text": [f"row {number}; \"a\", 'b'" for number in range(20_000)]})
buffer = io.StringIO()
rows.to_csv(buffer, index=False, header=False)
buffer.seek(0)
with psycopg2.connect("dbname=datasets") as connection, connection.cursor() as cursor:
    cursor.execute("CREATE TEMP TABLE everyday_copy (id int, text text)")
    cursor.copy_expert("COPY everyday_copy FROM STDIN WITH (FORMAT csv)", buffer)
    cursor.execute("SELECT count(*), min(text) FROM everyday_copy")
    assert cursor.fetchone() == (20_000, rows["text"].min())
    out = io.StringIO()
    cursor.copy_expert("COPY (SELECT * FROM everyday_copy WHERE id < 10) TO STDOUT WITH CSV HEADER", out)
assert len(pd.read_csv(io.StringIO(out.getvalue()))) == 10
