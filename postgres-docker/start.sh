#!/bin/sh
# Start Postgres; on an empty volume, make the database first. Both is left to the programs of the base image.
# Usage: start.sh postgres [OPTION...]
set -eu

# What has PG_VERSION is a database. A new one is made in a folder of its own and moved here once it is whole, that file
# last, so a first start that is cut short is just begun again.
half=$PGDATA/.half-made
whole=$PGDATA/.whole

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
    # The base image insists on a password of the superuser; set_passwords takes it away again.
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
set_time_zone() {
    [ "$1" = UTC ] || [ "$(head -c 4 "/usr/share/zoneinfo/$1" 2>/dev/null)" = TZif ] ||
        refuse "there is no time zone $1: set TZ in .env to one such as Europe/Berlin."
    printf "timezone = '%s'\nlog_timezone = '%s'\n" "$1" "$1" >/tmp/time-zone.conf
}

check_secrets() {
    # With these it can start, so it ends here, and is started again.
    [ -s /secrets/mlflow ] && [ -s /secrets/analyst ] || {
        echo "FAIL: the volume postgres-secrets has no passwords: \"docker compose up\" makes them." >&2
        exit 1
    }
}

# Postgres alone, with no other process to ask it, needs no password to change one. What is asked for here is on no command
# line and in no log. Where it fails, as on a full disk, the roles have the passwords that they had.
set_passwords() {
    statements="ALTER ROLE mlflow PASSWORD '$(sed "s/'/''/g" /secrets/mlflow)'
ALTER ROLE analyst PASSWORD '$(sed "s/'/''/g" /secrets/analyst)'"
    shift
    postgres --single "$@" -c exit_on_error=on -c log_min_error_statement=panic -c log_checkpoints=off \
        postgres >/dev/null <<END || echo "The passwords of the roles could not be set: see why above."
BEGIN
ALTER ROLE postgres PASSWORD NULL
$statements
COMMIT
END
}

set_time_zone "${TZ:-UTC}"
check_secrets
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -d "$whole" ] || make_database "$@"
    move_database
fi
# Empty now, also where a start was cut short after the last move.
[ ! -d "$whole" ] || rmdir "$whole"
check_version
set_passwords "$@"
exec docker-entrypoint.sh "$@"
