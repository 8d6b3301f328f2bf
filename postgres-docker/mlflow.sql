-- Rights in the database mlflow, one statement per line. Run by start.sh if it has not been run yet, and by a restore.
-- It runs as the superuser, so no function that a user created under the name of a builtin one may be called.
SET search_path = pg_catalog;
-- MLflow creates tables later, and more with each version.
ALTER DEFAULT PRIVILEGES FOR ROLE mlflow GRANT SELECT ON TABLES TO analyst;
ALTER DEFAULT PRIVILEGES FOR ROLE mlflow GRANT SELECT ON SEQUENCES TO analyst;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO analyst;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO analyst;
-- By default every role may store large objects.
REVOKE EXECUTE ON FUNCTION lo_creat(int), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
-- By default every role may take advisory locks, which could use up the lock table that MLflow needs.
DO 'DECLARE name regprocedure; BEGIN FOR name IN SELECT oid FROM pg_proc WHERE proname ~ ''^pg_(try_)?advisory_(xact_)?lock'' LOOP EXECUTE format(''REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC'', name); END LOOP; END';
-- A restore uses another name for the database.
DO 'BEGIN EXECUTE format(''REVOKE ALL ON DATABASE %1$I FROM PUBLIC; GRANT CONNECT ON DATABASE %1$I TO analyst'', current_database()); END';
