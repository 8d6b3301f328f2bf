# Settings for a Jupyter server in a container. The server itself reads JUPYTER_PORT and JUPYTER_TOKEN.
import os

c = get_config()  # noqa: F821

# Listen on all IPv4 and IPv6 addresses; publishing the container's port decides who can connect.
c.ServerApp.ip = ""
c.ServerApp.open_browser = False

# Deleted files would go to an invisible trash directory and never free disk space.
c.FileContentsManager.delete_to_trash = False

if "NB_UMASK" in os.environ:
    os.umask(int(os.environ["NB_UMASK"], 8))
