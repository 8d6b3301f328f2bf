# JupyterLab asks nobody outside by itself. A jupyter_lab_config.py in ~/.jupyter has the last word.
c = get_config()  # noqa: F821

# Every visit would ask PyPI for a newer version, and jupyter.org for news.
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.news_url = None

# The extension manager would search PyPI, and what it installs is gone with the container.
c.LabApp.extension_manager = "readonly"

# A folder that is deleted in the file browser, after a question, is gone with all that is in it, as a file is.
c.FileContentsManager.always_delete_dir = True
