# A jupyter_lab_config.py in ~/.jupyter takes precedence.
import os
import sys
from pathlib import Path

import container_memory

c = get_config()  # noqa: F821

SECRETS = Path("/secrets")
for name in ("token", "pg_service.conf"):
    if not (SECRETS / name).is_file() or not (SECRETS / name).read_text().strip():
        sys.exit(f'FAIL: the volume notebook-secrets has no {name}: "docker compose up" makes it.')
# An empty token would disable authentication.
c.IdentityProvider.token = (SECRETS / "token").read_text().rstrip("\n")

# No requests to PyPI for updates and to jupyter.org for news.
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.news_url = None

# The extension manager would search PyPI, and its installations would be lost with the container.
c.LabApp.extension_manager = "readonly"

# Let the file browser delete non-empty folders, after confirmation.
c.FileContentsManager.always_delete_dir = True

# The cookie allows running programs, so it is not sent with cross-site requests and expires after a week instead of a
# month. Browsers send it to every port of its host, which is why a named toolbox has its own host name.
COOKIES = {"samesite": "Strict", "expires_days": 7}
c.IdentityProvider.cookie_options = COOKIES
c.IdentityProvider.get_secure_cookie_kwargs = {"max_age_days": COOKIES["expires_days"]}

# The toolbox's tiles, notices and login page.
c.LabApp.extra_labextensions_path = ["/opt/data-toolbox/lab/labextensions"]
c.ServerApp.extra_template_paths = ["/opt/data-toolbox/lab/templates"]
c.ServerApp.tornado_settings = {
    "page_config_data": {"mlflowPort": os.environ.get("MLFLOW_PAGE_PORT", "5000")},
    "xsrf_cookie_kwargs": COOKIES,
}

# A password set in the browser would be forgotten at the next start.
c.PasswordIdentityProvider.allow_password_change = False

# Show the container's memory limit, not the machine's.
c.ResourceUseDisplay.mem_limit = container_memory.limit()

# Proxy only to this container, not to MLflow: a logged HTML file would then be served from Jupyter's origin, with
# access to its cookie.
c.ServerProxy.host_allowlist = ["localhost", "127.0.0.1"]
