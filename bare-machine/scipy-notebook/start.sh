#!/bin/bash
# Run the hooks, then exec the command (by default a shell).
# If started as root, give the user jovyan the UID NB_UID and the GID NB_GID, and run the command as that user.
set -e

fail() {
    echo "FAIL: $1" >&2
    exit 1
}

log() {
    if [ -z "${JUPYTER_DOCKER_STACKS_QUIET:-}" ]; then
        echo "start.sh: $*" >&2
    fi
}

# Files named *.sh are sourced, so that they can set variables; other executable files are run. As in the official image, a
# failing hook does not prevent Jupyter from starting.
run_hooks() {
    local hook
    for hook in "$1"/*; do
        if [[ $hook == *.sh ]]; then
            log "sourcing $hook"
            # shellcheck source=/dev/null
            . "$hook" || log "$hook failed, continuing without it"
        elif [ -f "$hook" ] && [ -x "$hook" ]; then
            log "running $hook"
            "$hook" || log "$hook failed, continuing without it"
        fi
    done
}

# Recreate the user, because usermod would also traverse the whole home.
renumber_jovyan() {
    [ "$NB_USER" = jovyan ] || fail "NB_USER=$NB_USER: this image's user can only be named jovyan, unset NB_USER."
    if [ "$(id -u jovyan):$(id -g jovyan)" != "$NB_UID:$NB_GID" ]; then
        log "jovyan gets the uid $NB_UID and the gid $NB_GID"
        userdel jovyan
        getent group "$NB_GID" >/dev/null || groupadd --gid "$NB_GID" "${NB_GROUP:-jovyan}"
        useradd --no-log-init --non-unique --uid "$NB_UID" --gid "$NB_GID" --groups users --home-dir /home/jovyan \
            --shell /bin/bash jovyan
    fi
}

# The options and the list of directories are split into words.
# shellcheck disable=SC2086
give_folders_to_jovyan() {
    if [[ ${CHOWN_HOME:-} == 1 || ${CHOWN_HOME:-} == yes ]]; then
        chown ${CHOWN_HOME_OPTS:-} "$NB_UID:$NB_GID" /home/jovyan
    fi
    if [ -n "${CHOWN_EXTRA:-}" ]; then
        chown ${CHOWN_EXTRA_OPTS:-} "$NB_UID:$NB_GID" ${CHOWN_EXTRA//,/ }
    fi
}

[ $# -gt 0 ] || set -- bash

run_hooks /usr/local/bin/start-notebook.d
if [ "$(id -u)" -eq 0 ]; then
    renumber_jovyan
    give_folders_to_jovyan
    as_jovyan=(setpriv "--reuid=$NB_UID" "--regid=$NB_GID" --init-groups)
elif [ "$(id -u):$(id -g)" != "$NB_UID:$NB_GID" ]; then
    log "NB_UID and NB_GID have no effect: the container must start as root for that"
fi
run_hooks /usr/local/bin/before-notebook.d

# Variables only for the hooks.
if [ -n "${JUPYTER_ENV_VARS_TO_UNSET:-}" ]; then
    IFS=, read -r -a names <<<"$JUPYTER_ENV_VARS_TO_UNSET"
    unset "${names[@]}" JUPYTER_ENV_VARS_TO_UNSET
fi

log "running $1"
exec "${as_jovyan[@]}" "$@"
