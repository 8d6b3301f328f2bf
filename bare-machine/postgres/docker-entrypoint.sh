#!/bin/bash
# Start PostgreSQL, and first create its database if the data directory is empty; as docker-ensure-initdb.sh, create it and
# exit. Reads the variables of the official image. If started as root, chown the directories to the user postgres and
# continue as that user.
set -Eeo pipefail

fail() {
    echo "FAIL: $1" >&2
    exit 1
}

# Set and export the variable $1 from the file named by $1_FILE, or to the default $2 if neither is set.
setting() {
    local name=$1 file_name=$1_FILE
    if [ -n "${!name:-}" ] && [ -n "${!file_name:-}" ]; then
        fail "both $name and $file_name are set: set one of them."
    fi
    if [ -n "${!file_name:-}" ]; then
        [ -r "${!file_name}" ] || fail "$file_name names ${!file_name}, which cannot be read: check that it is mounted."
        printf -v "$name" '%s' "$(<"${!file_name}")"
    elif [ -z "${!name:-}" ]; then
        printf -v "$name" '%s' "$2"
    fi
    export "${name?}"
    unset "$file_name"
}

read_settings() {
    setting POSTGRES_PASSWORD ""
    setting POSTGRES_USER postgres
    setting POSTGRES_DB "$POSTGRES_USER"
    setting POSTGRES_INITDB_ARGS ""
    setting POSTGRES_HOST_AUTH_METHOD ""
}

# A volume may have another owner, and a tmpfs at the socket's directory belongs to root.
give_directories_to_postgres() {
    local folder
    mkdir -p "$PGDATA" /var/run/postgresql
    for folder in "$PGDATA" /var/run/postgresql; do
        find "$folder" ! -user postgres -exec chown postgres:postgres {} +
    done
    chmod 3777 /var/run/postgresql || true
}

check_new() {
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        fail "the database is new and has no password: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE."
    fi
    case "$POSTGRES_PASSWORD" in
    *$'\n'*) fail "POSTGRES_PASSWORD has a line break, which PostgreSQL's tools cannot pass on: choose one without." ;;
    esac
    # PostgreSQL rejects such names for the owner of an extension: initdb would fail half-way, in some cases printing the
    # password.
    case "$POSTGRES_USER" in
    *[\"\$\'\\]*) fail "POSTGRES_USER has one of the characters \" \$ ' \\, which PostgreSQL rejects: choose another." ;;
    esac
    if [ "$POSTGRES_HOST_AUTH_METHOD" = trust ]; then
        echo "POSTGRES_HOST_AUTH_METHOD=trust: everyone who can connect to port 5432 can log in without a password, as any user." >&2
    fi
}

make_cluster() {
    local arguments=()
    # As in the official image, the arguments are evaluated by the shell, so that values can be quoted.
    eval "arguments=($POSTGRES_INITDB_ARGS)"
    if [ -n "$POSTGRES_PASSWORD" ]; then
        # With a pipe and the builtin printf, the password appears in no file and no process's arguments.
        exec 3< <(printf '%s\n' "$POSTGRES_PASSWORD")
        arguments+=(--pwfile=/dev/fd/3)
    fi
    initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --no-instructions "${arguments[@]}"
    exec 3<&-
    method=${POSTGRES_HOST_AUTH_METHOD:-$("$@" -C password_encryption)}
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# For the init scripts the server listens on its socket only, so that nobody else sees an incomplete database.
start_temporary_server() {
    "$@" -c listen_addresses= -c port="${PGPORT:-5432}" -c unix_socket_directories=/var/run/postgresql &
    server=$!
    until pg_isready --quiet --host=/var/run/postgresql --dbname=postgres --username="$POSTGRES_USER"; do
        kill -0 "$server" 2>/dev/null || fail "the server for the init scripts did not start: its own message is above."
        sleep 0.1
    done
}

stop_temporary_server() {
    kill -INT "$server"
    wait "$server"
}

run_psql() {
    PGHOST='' PGHOSTADDR='' psql --no-psqlrc --no-password --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" "$@"
}

make_database() {
    if [ "$POSTGRES_DB" != postgres ]; then
        echo 'CREATE DATABASE :"name"' | run_psql --dbname=postgres --set=name="$POSTGRES_DB"
    fi
}

run_init_scripts() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
        *.sh)
            if [ -x "$file" ]; then
                echo "running $file"
                "$file"
            else
                echo "sourcing $file"
                # shellcheck source=/dev/null
                . "$file"
            fi
            ;;
        *.sql)
            echo "running $file"
            run_psql --dbname="$POSTGRES_DB" --file="$file"
            ;;
        *.sql.gz)
            echo "running $file"
            gunzip --stdout "$file" | run_psql --dbname="$POSTGRES_DB"
            ;;
        '/docker-entrypoint-initdb.d/*') ;;
        *) echo "ignoring $file" ;;
        esac
    done
}

make_database_if_new() {
    if [ -s "$PGDATA/PG_VERSION" ]; then
        return
    fi
    check_new
    make_cluster "$@"
    # POSTGRES_INITDB_ARGS may require the password on the socket too.
    export PGPASSWORD="${PGPASSWORD-$POSTGRES_PASSWORD}"
    start_temporary_server "$@"
    make_database
    run_init_scripts
    stop_temporary_server
    unset PGPASSWORD
    echo "the new database is ready"
}

asks_for_help() {
    local argument
    for argument in "$@"; do
        case "$argument" in
        -\? | -V | --describe-config | --help | --version) return 0 ;;
        esac
    done
    return 1
}

if [ "${1:0:1}" = - ]; then
    set -- postgres "$@"
fi
if [ "$1" = postgres ] && ! asks_for_help "$@"; then
    read_settings
    if [ "$(id -u)" -eq 0 ]; then
        give_directories_to_postgres
        export HOME=/var/lib/postgresql
        exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
    fi
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA" || true
    make_database_if_new "$@"
    [ "${0##*/}" != docker-ensure-initdb.sh ] || exit 0
    # The server does not need it.
    unset POSTGRES_PASSWORD
fi
exec "$@"
