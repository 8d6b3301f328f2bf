"""Read by every kernel when it starts."""

import debugpy

# With JupyterLab's debugger on, Python subprocesses would wait for a debugger that JupyterLab does not provide: logging
# a model stalled for 2 minutes.
debugpy.configure(subProcess=False)
