"""Use what the toolbox adds to JupyterLab: tiles in the launcher, the memory display, and an out-of-memory dialog.

Options: `token`; `bytes`, more than the memory limit of the container. Results: the URL that the tile of MLflow opens
(`mlflow`), and the text there (`pages`); the `files` that the file browser shows after a click on the tile of the
examples; the `memory` display; the `notice` after a cell has allocated that many bytes.
"""

import re
from urllib.parse import quote

from playwright.sync_api import expect
from visit import run

# JupyterLab notices the death of a kernel only after some seconds.
TIMEOUT_MS = 60_000


def tile(page, name):
    """Return a tile of the launcher."""
    return page.locator(".jp-LauncherCard", has=page.get_by_text(name, exact=True)).first


def use_launcher(visit):
    page = visit.page
    with visit.step("the launcher"):
        page.goto(f"{visit.address('notebook')}/lab?reset&token={quote(visit.options['token'], safe='')}")
        memory = page.get_by_text(re.compile("^Mem: "))
        expect(memory).to_contain_text("/")
        usage = memory.inner_text()
        tile(page, "Examples").click()
        page.get_by_role("listitem").filter(has_text="1-track-an-experiment.ipynb").wait_for()
        files = page.locator(".jp-DirListing-itemText").all_inner_texts()
    with visit.context.expect_page() as opened:
        tile(page, "MLflow").click()
    page, mlflow = opened.value, visit.page
    visit.page = page
    with visit.step("MLflow"):
        page.get_by_role("link", name="Experiments").first.wait_for()
        address, pages = page.url, page.locator("body").inner_text()
    visit.page = page = mlflow
    with visit.step("used up"):
        tile(page, "Python 3 (ipykernel)").click()
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.locator(".jp-Notebook .cm-content").first.click()
        page.keyboard.type(f"len(b'x' * {visit.options['bytes']})")
        page.keyboard.press("Shift+Enter")
        dialog = page.locator(".jp-Dialog")
        # First closes JupyterLab's own, that the kernel appears to have died.
        dialog.get_by_role("button", name="Ok").click(timeout=TIMEOUT_MS)
        dialog = dialog.filter(has_text="Out of memory")
        dialog.wait_for()
        notice = dialog.inner_text()
    return {"memory": usage, "files": files, "mlflow": address, "pages": pages, "notice": notice}


run(use_launcher)
