# What a Jupyter server in a container needs. JUPYTER_PORT and JUPYTER_TOKEN are read by the server itself.
import os

c = get_config()  # noqa: F821

# All addresses, of IPv4 and IPv6: what is reachable from outside is decided where the container's port is published.
c.ServerApp.ip = ""
c.ServerApp.open_browser = False

# A file deleted in the browser would go to a trash that nobody sees, and the volume would never get smaller.
c.FileContentsManager.delete_to_trash = False

if "NB_UMASK" in os.environ:
    os.umask(int(os.environ["NB_UMASK"], 8))
