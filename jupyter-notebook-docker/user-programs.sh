# shellcheck shell=sh
# Programs of packages that the user installed.
PATH="$PATH:$HOME/.local/bin"
