"""Open a notebook from the file browser of JupyterLab, and run all cells from the menu.

Options: `token`; `path` of the notebook in the home; `heading` at the top of the last screenshot; `framed`, optional
text to wait for in a frame of an output. Results: the `outputs` of each code cell, as texts; the `errors` among them;
the sizes of the `pictures` among them, in pixels.
"""

import re
from urllib.parse import quote

from visit import run

# The cells load libraries and train models.
TIMEOUT_MS = 180_000
OUTPUT = ".jp-OutputArea-output"
# JupyterLab shows it as standard error.
ERROR = "Traceback (most recent call last)"
TO_THE_TOP = "cell => { cell.style.scrollMarginTop = '12px'; cell.scrollIntoView(); }"
SIZES = "images => images.map(image => [image.naturalWidth, image.naturalHeight])"


def run_notebook(visit):
    page = visit.page
    with visit.step("open the notebook"):
        # `reset` closes what an earlier visit had open.
        page.goto(f"{visit.address('notebook')}/lab?reset&token={quote(visit.options['token'], safe='')}")
        for name in visit.options["path"].split("/"):
            page.get_by_role("listitem").filter(has=page.get_by_text(name, exact=True)).dblclick()
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    with visit.step("run all cells"):
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        cells = page.locator(".jp-Notebook .jp-CodeCell")
        # A cell gets its number once it has run; after an error the rest is skipped.
        done = cells.last.locator(".jp-InputPrompt").filter(has_text=re.compile(r"^\[\d+\]:"))
        errors = page.locator(OUTPUT, has_text=ERROR)
        done.or_(errors).first.wait_for(state="attached", timeout=TIMEOUT_MS)
        outputs = [texts(cell) for cell in cells.all()]
    with visit.step("the outputs"):
        # Hides the sidebar.
        page.keyboard.press("Control+b")
        heading = page.get_by_role("heading", name=visit.options["heading"], exact=True)
        page.locator(".jp-Cell", has=heading).evaluate(TO_THE_TOP)
        if framed := visit.options.get("framed"):
            page.locator(f"{OUTPUT} iframe").first.content_frame.get_by_text(framed).first.wait_for()
    return {
        "outputs": outputs,
        "errors": errors.all_text_contents(),
        "pictures": page.locator(f"{OUTPUT} img").evaluate_all(SIZES),
    }


def texts(cell):
    """Return the texts of the outputs of a cell, which JupyterLab renders only while it is visible."""
    cell.scroll_into_view_if_needed()
    return cell.locator(OUTPUT).all_inner_texts()


run(run_notebook)
