PATH="$PATH:$HOME/.local/bin"
