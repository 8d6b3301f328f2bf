-- The rights in the database datasets, a statement in a line. start.sh runs this where it has not been run yet, and a restore.
-- Run as the superuser: nothing is to be taken for a function of Postgres that somebody has made here under its name.
SET search_path = pg_catalog;
-- Its people make and delete everything in it, but not itself: its owner could delete it, or let nobody in.
CREATE SCHEMA IF NOT EXISTS public;
ALTER SCHEMA public OWNER TO analyst;
-- By default every role may take advisory locks, so many that the server has no room for those of MLflow.
DO 'DECLARE name regprocedure; BEGIN FOR name IN SELECT oid FROM pg_proc WHERE proname ~ ''^pg_(try_)?advisory_(xact_)?lock'' LOOP EXECUTE format(''REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC'', name); END LOOP; END';
-- Runs the statements of a dump as analyst, also when that role has no connection left. Without a password it comes in by the
-- socket alone.
DO 'BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ''restorer'') THEN CREATE ROLE restorer LOGIN; END IF; END';
GRANT analyst TO restorer;
-- By whatever name it is restored. What it is called shows that this was run: the number is another one with each change here.
DO 'BEGIN EXECUTE format(''ALTER DATABASE %1$I OWNER TO postgres; REVOKE ALL ON DATABASE %1$I FROM PUBLIC; GRANT ALL ON DATABASE %1$I TO analyst; ALTER DATABASE %1$I ALLOW_CONNECTIONS true; ALTER DATABASE %1$I RESET ALL; COMMENT ON DATABASE %1$I IS ''''Tables of your own (rights 2)'''''', current_database()); END';
