#!/bin/sh
# Start Postgres, and create the database on an empty volume, both with the programs of the base image.
# Usage: start.sh postgres [OPTION...]
set -eu

# A new database is created in a subdirectory and moved when complete, PG_VERSION last, so that an interrupted first
# start is simply repeated.
half=$PGDATA/.half-made
whole=$PGDATA/.whole
rights=/etc/data-toolbox

# The rest of max_connections is for the MLflow server and the tasks.
analyst_connections=60
# Per session.
analyst_temp_files=1GB
# The minimum for a server process: autovacuum takes 32 MB.
least_share_kb=65536

# Report the error and wait: Docker would restart a container that exits, again and again.
refuse() {
    echo "FAIL: $1" >&2
    trap 'exit 1' INT TERM
    while true; do
        sleep 3600 &
        wait $!
    done
}

make_database() {
    rm -rf "$half"
    # The base image requires a password for the superuser; set_roles removes it.
    PGDATA=$half POSTGRES_PASSWORD=$(head -c 18 /dev/urandom | base64) docker-ensure-initdb.sh "$@"
    mv "$half" "$whole"
}

move_database() {
    for path in "$whole"/*; do
        [ "$path" = "$whole/PG_VERSION" ] || mv "$path" "$PGDATA/"
    done
    mv "$whole/PG_VERSION" "$PGDATA/"
}

check_version() {
    volume=$(cat "$PGDATA/PG_VERSION")
    image=$(postgres --version | sed 's/.*(PostgreSQL) \([0-9]*\).*/\1/')
    [ "$volume" = "$image" ] ||
        refuse "the volume has a database of Postgres $volume, and this is Postgres $image: run \"invoke upgrade\", or set POSTGRES_BASE_IMAGE in .env to Postgres $volume."
}

# Write settings from .env for postgresql.conf to include. The database would keep the time zone of its first start.
write_settings() {
    [ "$1" = UTC ] || [ "$(head -c 4 "/usr/share/zoneinfo/$1" 2>/dev/null)" = TZif ] ||
        refuse "there is no time zone $1: set TZ in .env to one such as Europe/Berlin."
    echo "$2" | grep -Eqx '[0-9]{1,6}(s|min|h|d)' ||
        refuse "$2 is not a time: set POSTGRES_IDLE_TRANSACTIONS in .env to one such as 30s, 10min, 1h or 1d."
    printf "timezone = '%s'\nlog_timezone = '%s'\nidle_in_transaction_session_timeout = '%s'\n" "$1" "$1" "$2" \
        >/tmp/settings.conf
}

# Make a query that needs too much memory fail alone, before the container runs out of memory and the server stops with
# all sessions. Each process may use an eighth; unlike work_mem, no session can raise this limit.
# The shells of all base images support the option.
# shellcheck disable=SC3045
limit_memory() {
    limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null) || return 0
    case $limit in
    *[!0-9]* | "") return ;;
    esac
    share_kb=$((limit / 1024 / 8))
    ulimit -d $((share_kb > least_share_kb ? share_kb : least_share_kb))
}

check_secrets() {
    # Exit, because a restart helps once they exist.
    [ -s /secrets/mlflow ] && [ -s /secrets/analyst ] || {
        echo "FAIL: the volume postgres-secrets has no passwords: \"docker compose up\" creates them." >&2
        exit 1
    }
}

# Run SQL from standard input, one statement per line, in the database $1. Single-user mode needs no password to change
# one, and the SQL appears in no command line and no log.
single_user() {
    database=$1
    shift 2
    postgres --single "$@" -c exit_on_error=on -c log_min_error_statement=panic -c log_checkpoints=off "$database"
}

# Undo what a role can change itself: its password, its rights, and a missing preload library that would prevent its
# logins. If this fails, as on a full disk, nothing changes.
set_roles() {
    found=$(
        single_user postgres "$@" <<END
BEGIN
ALTER ROLE postgres PASSWORD NULL
ALTER ROLE mlflow PASSWORD '$(sed "s/'/''/g" /secrets/mlflow)'
ALTER ROLE analyst PASSWORD '$(sed "s/'/''/g" /secrets/analyst)' LOGIN CONNECTION LIMIT $analyst_connections
ALTER ROLE analyst SET temp_file_limit = '$analyst_temp_files'
ALTER ROLE analyst RESET local_preload_libraries
DO 'DECLARE name name; BEGIN FOR name IN SELECT datname FROM pg_database LOOP EXECUTE format(''ALTER ROLE analyst IN DATABASE %I RESET local_preload_libraries'', name); END LOOP; END'
COMMIT
SELECT 'is as it should be' AS datasets FROM pg_database WHERE datname = 'datasets' AND datallowconn AND shobj_description(oid, 'pg_database') LIKE '%$(grep -o '(rights [0-9]*)' "$rights/datasets.sql")' AND has_database_privilege('analyst', oid, 'CREATE') AND has_database_privilege('analyst', 'mlflow', 'CONNECT')
END
    ) || {
        echo "The passwords of the roles could not be set: see the reason above."
        return
    }
    case $found in
    *"is as it should be"*) ;;
    *) set_rights "$@" || echo "The rights in the databases could not be set: see the reason above." ;;
    esac
}

# For new volumes, older ones, and roles that gave up their own rights.
set_rights() {
    echo "Setting the rights in the databases."
    if echo "CREATE DATABASE datasets" | single_user postgres "$@" >/dev/null 2>&1; then
        echo "The database datasets was missing: created an empty one."
    fi
    # datasets.sql ends with the mark that all of this was done.
    single_user mlflow "$@" >/dev/null <"$rights/mlflow.sql" && single_user datasets "$@" >/dev/null <"$rights/datasets.sql"
}

write_settings "${TZ:-UTC}" "${POSTGRES_IDLE_TRANSACTIONS:-1h}"
limit_memory
check_secrets
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -d "$whole" ] || make_database "$@"
    move_database
fi
# Empty by now, also if a start was interrupted after the last move.
[ ! -d "$whole" ] || rmdir "$whole"
check_version
set_roles "$@"
exec docker-entrypoint.sh "$@"
