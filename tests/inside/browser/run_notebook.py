"""Open a notebook from the file browser of JupyterLab, and run all of its cells by the menu.

Asked for: `token`; `path`, of the notebook in the home folder; `heading`, where the last picture begins; `framed`, a
text of a page within an output, where there is one. Seen: the
`outputs` of each code cell, as texts; the `errors` among them; the sizes of the `pictures` among them, in pixels.
"""

import re
from urllib.parse import quote

from visit import run

# Libraries are loaded and models trained.
TIMEOUT_MS = 180_000
OUTPUT = ".jp-OutputArea-output"
# JupyterLab gives it the type of what a program prints to standard error.
ERROR = "Traceback (most recent call last)"
TO_THE_TOP = "cell => { cell.style.scrollMarginTop = '12px'; cell.scrollIntoView(); }"
SIZES = "images => images.map(image => [image.naturalWidth, image.naturalHeight])"


def run_notebook(visit):
    page = visit.page
    with visit.step("open the notebook"):
        # What an earlier visit had open does not come back.
        page.goto(f"{visit.address('notebook')}/lab?reset&token={quote(visit.told['token'], safe='')}")
        for name in visit.told["path"].split("/"):
            page.get_by_role("listitem").filter(has=page.get_by_text(name, exact=True)).dblclick()
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    with visit.step("run all cells"):
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        cells = page.locator(".jp-Notebook .jp-CodeCell")
        # A cell has its number once it has run. After an error the rest does not run.
        done = cells.last.locator(".jp-InputPrompt").filter(has_text=re.compile(r"^\[\d+\]:"))
        errors = page.locator(OUTPUT, has_text=ERROR)
        done.or_(errors).first.wait_for(state="attached", timeout=TIMEOUT_MS)
        outputs = [texts(cell) for cell in cells.all()]
    with visit.step("the outputs"):
        # More room for the notebook.
        page.keyboard.press("Control+b")
        heading = page.get_by_role("heading", name=visit.told["heading"], exact=True)
        page.locator(".jp-Cell", has=heading).evaluate(TO_THE_TOP)
        if framed := visit.told.get("framed"):
            page.locator(f"{OUTPUT} iframe").first.content_frame.get_by_text(framed).first.wait_for()
    return {
        "outputs": outputs,
        "errors": errors.all_text_contents(),
        "pictures": page.locator(f"{OUTPUT} img").evaluate_all(SIZES),
    }


def texts(cell):
    """Return the texts of the outputs of a cell, which has them only while it can be seen."""
    cell.scroll_into_view_if_needed()
    return cell.locator(OUTPUT).all_inner_texts()


run(run_notebook)
