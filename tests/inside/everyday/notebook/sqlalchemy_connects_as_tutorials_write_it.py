from sqlalchemy import create_engine, inspect, text

for address in (
    "postgresql://",
    "postgresql+psycopg2://",
    "postgresql:///mlflow",
    "postgresql://analyst@postgres:5432/mlflow",
):
    engine = create_engine(address)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT current_user")).scalar() == "analyst"
        assert connection.execute(text("SELECT count(*) FROM experiments WHERE name LIKE 'Def%'")).scalar() == 1
    assert "runs" in inspect(engine).get_table_names()
