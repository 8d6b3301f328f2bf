# shellcheck shell=bash
# Delete matplotlib's font cache from the home if it is older than the fonts of this image; matplotlib rebuilds it.
find ~/.cache/matplotlib -name 'fontlist-*.json' ! -newer /usr/local/share/fonts -delete 2>/dev/null || true
