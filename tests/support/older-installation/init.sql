-- Roles and databases of an older version, created when the data directory is empty. psql runs this as the superuser.

-- The passwords come from the environment of the container. A failing statement must not leave one in the log.
SET log_min_error_statement = panic;
\getenv mlflow_password MLFLOW_DB_PASSWORD
\getenv analyst_password ANALYST_DB_PASSWORD

-- The tracking server: owns its database, and nothing else.
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow_password';
CREATE DATABASE mlflow OWNER mlflow;

-- The users: read everything that MLflow records, and own a database for their tables.
CREATE ROLE analyst LOGIN PASSWORD :'analyst_password';
CREATE DATABASE datasets OWNER analyst;

-- By default every role may connect to every database and create temporary tables there.
REVOKE ALL ON DATABASE mlflow, datasets, postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE mlflow TO analyst;

-- MLflow creates its tables later, and new ones with each version; all of them can be read.
\connect mlflow
ALTER DEFAULT PRIVILEGES FOR ROLE mlflow GRANT SELECT ON TABLES TO analyst;
ALTER DEFAULT PRIVILEGES FOR ROLE mlflow GRANT SELECT ON SEQUENCES TO analyst;

-- By default every role may store large objects.
REVOKE EXECUTE ON FUNCTION lo_creat(int), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
