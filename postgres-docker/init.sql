-- Roles and databases, made once, when the data directory is empty. psql runs this as the superuser. start.sh gives the roles
-- their passwords, limits and rights.

-- The tracking server: owns its database, and nothing else.
CREATE ROLE mlflow LOGIN;
CREATE DATABASE mlflow OWNER mlflow;

-- The people: read all that MLflow records, and have a database for their tables.
CREATE ROLE analyst LOGIN;
CREATE DATABASE datasets;

-- By default every role may connect to every database and make temporary tables there.
REVOKE ALL ON DATABASE mlflow, datasets, postgres, template1 FROM PUBLIC;
