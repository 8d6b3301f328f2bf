#!/bin/sh
# Start Postgres; on an empty volume, make the database first. Both is left to the programs of the base image.
# Usage: start.sh postgres [OPTION...]
set -eu

# What has PG_VERSION is a database. A new one is made in a folder of its own and moved here once it is whole, that file
# last, so a first start that is cut short is just begun again.
half=$PGDATA/.half-made
whole=$PGDATA/.whole
rights=/etc/data-toolbox

# The rest of max_connections is for the MLflow server and for the tasks.
analyst_connections=60
# Of each session.
analyst_temp_files=1GB
# What a process of the server needs at least: to tidy up takes 32 MB.
least_share_kb=65536

# Say why there is no database, and stay: were this to end, Docker would start it again and again.
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
    # The base image insists on a password of the superuser; set_roles takes it away again.
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

# postgresql.conf includes the file. The database knows the time zone of its first start, and takes no other by itself.
write_settings() {
    [ "$1" = UTC ] || [ "$(head -c 4 "/usr/share/zoneinfo/$1" 2>/dev/null)" = TZif ] ||
        refuse "there is no time zone $1: set TZ in .env to one such as Europe/Berlin."
    echo "$2" | grep -Eqx '[0-9]{1,6}(s|min|h|d)' ||
        refuse "$2 is no time: set POSTGRES_IDLE_TRANSACTIONS in .env to one such as 30s, 10min, 1h or 1d."
    printf "timezone = '%s'\nlog_timezone = '%s'\nidle_in_transaction_session_timeout = '%s'\n" "$1" "$1" "$2" \
        >/tmp/settings.conf
}

# Have a query fail that wants much memory, where the container would run out of it and the server end, and all sessions with
# it. Each of its processes, of which two may help it, may have an eighth. No session can lift that, as it can work_mem.
# The shells of all base images know the option.
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
    # With these it can start, so it ends here, and is started again.
    [ -s /secrets/mlflow ] && [ -s /secrets/analyst ] || {
        echo "FAIL: the volume postgres-secrets has no passwords: \"docker compose up\" makes them." >&2
        exit 1
    }
}

# Run SQL, a statement in a line, in the database $1. Postgres alone, with no other process to ask it, needs no password to
# change one. What is asked for here is on no command line and in no log.
alone() {
    database=$1
    shift 2
    postgres --single "$@" -c exit_on_error=on -c log_min_error_statement=panic -c log_checkpoints=off "$database"
}

# What a role can change of this itself is as it was with the next start: its password, its rights in the databases, and a
# library that is not there, which lets it in no more. Where this fails, as on a full disk, nothing changes.
set_roles() {
    found=$(
        alone postgres "$@" <<END
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
        echo "The passwords of the roles could not be set: see why above."
        return
    }
    case $found in
    *"is as it should be"*) ;;
    *) set_rights "$@" || echo "The rights in the databases could not be set: see why above." ;;
    esac
}

# In a new volume, in one from before, and where somebody has given up their own.
set_rights() {
    echo "Setting the rights in the databases."
    if echo "CREATE DATABASE datasets" | alone postgres "$@" >/dev/null 2>&1; then
        echo "The database datasets was gone: made an empty one."
    fi
    # The last one says that all of it was done.
    alone mlflow "$@" >/dev/null <"$rights/mlflow.sql" && alone datasets "$@" >/dev/null <"$rights/datasets.sql"
}

write_settings "${TZ:-UTC}" "${POSTGRES_IDLE_TRANSACTIONS:-1h}"
limit_memory
check_secrets
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -d "$whole" ] || make_database "$@"
    move_database
fi
# Empty now, also where a start was cut short after the last move.
[ ! -d "$whole" ] || rmdir "$whole"
check_version
set_roles "$@"
exec docker-entrypoint.sh "$@"
