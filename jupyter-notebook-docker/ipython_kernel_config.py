"""Read by every kernel when it starts."""

import debugpy

# With JupyterLab's debugger on, a Python that a cell starts would wait for a debugger of its own, which JupyterLab does not
# have: logging a model stood still for 2 minutes.
debugpy.configure(subProcess=False)
