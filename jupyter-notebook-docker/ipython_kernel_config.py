"""Read by every kernel when it starts."""

import debugpy

# With JupyterLab's debugger on, a Python process that a cell starts would wait for a debugger of its own, which
# JupyterLab does not offer: logging a model stalled for 2 minutes.
debugpy.configure(subProcess=False)
