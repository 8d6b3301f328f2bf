-- The rights in the database mlflow, a statement in a line. start.sh runs this where it has not been run yet, and a restore.
-- Run as the superuser: nothing is to be taken for a function of Postgres that somebody has made here under its name.
SET search_path = pg_catalog;
-- MLflow makes its tables later, and new ones with each version: all of them can be read.
ALTER DEFAULT PRIVILEGES FOR ROLE mlflow GRANT SELECT ON TABLES TO analyst;
ALTER DEFAULT PRIVILEGES FOR ROLE mlflow GRANT SELECT ON SEQUENCES TO analyst;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO analyst;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO analyst;
-- By default every role may store large objects.
REVOKE EXECUTE ON FUNCTION lo_creat(int), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
-- By default every role may take advisory locks, so many that the server has no room for those of MLflow.
DO 'DECLARE name regprocedure; BEGIN FOR name IN SELECT oid FROM pg_proc WHERE proname ~ ''^pg_(try_)?advisory_(xact_)?lock'' LOOP EXECUTE format(''REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC'', name); END LOOP; END';
-- By whatever name it is restored.
DO 'BEGIN EXECUTE format(''REVOKE ALL ON DATABASE %1$I FROM PUBLIC; GRANT CONNECT ON DATABASE %1$I TO analyst'', current_database()); END';
