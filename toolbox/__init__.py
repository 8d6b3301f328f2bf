"""The functions behind the tasks; those that decide something are tested without Docker."""

import sys

try:
    from . import console  # noqa: F401
    from .data import archive  # noqa: F401
except ModuleNotFoundError as error:
    # `invoke` may be installed without the other packages of requirements.txt.
    sys.exit(f'FAIL: the Python package {error.name} is not installed: use "./run", which installs requirements.txt.')
