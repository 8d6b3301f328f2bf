# shellcheck shell=bash
# Delete matplotlib's list of fonts from the home if it is older than the fonts of this image; matplotlib makes another one.
find ~/.cache/matplotlib -name 'fontlist-*.json' ! -newer /usr/local/share/fonts -delete 2>/dev/null || true
