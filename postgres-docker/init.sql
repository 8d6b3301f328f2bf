-- Create roles and databases; psql runs this once, as the superuser, on an empty data directory. start.sh sets passwords, limits
-- and rights.

-- For the tracking server.
CREATE ROLE mlflow LOGIN;
CREATE DATABASE mlflow OWNER mlflow;

-- For people: read access to mlflow, and a database for their own tables.
CREATE ROLE analyst LOGIN;
CREATE DATABASE datasets;

-- By default every role may connect to every database and create temporary tables there.
REVOKE ALL ON DATABASE mlflow, datasets, postgres, template1 FROM PUBLIC;
