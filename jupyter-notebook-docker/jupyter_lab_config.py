# JupyterLab asks nobody outside by itself. A jupyter_lab_config.py in ~/.jupyter has the last word.
import os
import sys
from pathlib import Path

import container_memory

c = get_config()  # noqa: F821

SECRETS = Path("/secrets")
for name in ("token", "pg_service.conf"):
    if not (SECRETS / name).is_file() or not (SECRETS / name).read_text().strip():
        sys.exit(f'FAIL: the volume notebook-secrets has no {name}: "docker compose up" makes it.')
# An empty one would switch authentication off.
c.IdentityProvider.token = (SECRETS / "token").read_text().rstrip("\n")

# Every visit would ask PyPI for a newer version, and jupyter.org for news.
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.news_url = None

# The extension manager would search PyPI, and what it installs is gone with the container.
c.LabApp.extension_manager = "readonly"

# A folder that is deleted in the file browser, after a question, is gone with all that is in it, as a file is.
c.FileContentsManager.always_delete_dir = True

# Whoever has the cookie can run programs. It is not sent with requests that pages of other sites make, and lasts a
# week, not a month. Browsers send it to every port of its host, which is why a toolbox with a name has one of its own.
COOKIES = {"samesite": "Strict", "expires_days": 7}
c.IdentityProvider.cookie_options = COOKIES
c.IdentityProvider.get_secure_cookie_kwargs = {"max_age_days": COOKIES["expires_days"]}

# Tiles, notices and the login page of this toolbox.
c.LabApp.extra_labextensions_path = ["/opt/data-toolbox/lab/labextensions"]
c.ServerApp.extra_template_paths = ["/opt/data-toolbox/lab/templates"]
c.ServerApp.tornado_settings = {
    "page_config_data": {"mlflowPort": os.environ.get("MLFLOW_PAGE_PORT", "5000")},
    "xsrf_cookie_kwargs": COOKIES,
}

# The next start would not know such a password, but the token.
c.PasswordIdentityProvider.allow_password_change = False

# The memory that ends a kernel is that of the container, not that of the machine.
c.ResourceUseDisplay.mem_limit = container_memory.limit()

# Programs in this container alone, and not MLflow: an HTML file that somebody logged, opened in a tab of its own, would
# then be a page of Jupyter's, with its cookie.
c.ServerProxy.host_allowlist = ["localhost", "127.0.0.1"]
