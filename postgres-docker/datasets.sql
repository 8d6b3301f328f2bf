-- Rights in the database datasets, one statement per line. Run by start.sh if it has not been run yet, and by a restore.
-- It runs as the superuser, so no function that a user created under the name of a builtin one may be called.
SET search_path = pg_catalog;
-- analyst owns the schema, not the database, which its owner could delete or close.
CREATE SCHEMA IF NOT EXISTS public;
ALTER SCHEMA public OWNER TO analyst;
-- By default every role may take advisory locks, which could use up the lock table that MLflow needs.
DO 'DECLARE name regprocedure; BEGIN FOR name IN SELECT oid FROM pg_proc WHERE proname ~ ''^pg_(try_)?advisory_(xact_)?lock'' LOOP EXECUTE format(''REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC'', name); END LOOP; END';
-- Runs the statements of a dump as analyst, even if that role has no free connection. It has no password: socket only.
DO 'BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ''restorer'') THEN CREATE ROLE restorer LOGIN; END IF; END';
GRANT analyst TO restorer;
-- A restore uses another name for the database. The comment marks this file as run: increment its number with each change.
DO 'BEGIN EXECUTE format(''ALTER DATABASE %1$I OWNER TO postgres; REVOKE ALL ON DATABASE %1$I FROM PUBLIC; GRANT ALL ON DATABASE %1$I TO analyst; ALTER DATABASE %1$I ALLOW_CONNECTIONS true; ALTER DATABASE %1$I RESET ALL; COMMENT ON DATABASE %1$I IS ''''Tables of your own (rights 2)'''''', current_database()); END';
