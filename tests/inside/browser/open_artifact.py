"""Open the viewer of an HTML artifact in MLflow, and then its frame in a new tab, as the browser's menu does.

Options: `token`, to log in to JupyterLab; `experiment_id` and `run_id`; `artifact`, a page that requests JupyterLab's
files and puts the response in its title. Results: origin and title of the viewer's `frame` and the `tab`.
"""

import re
from urllib.parse import quote

from playwright.sync_api import expect
from visit import run

LOOK = "[self.origin, document.title]"


def open_artifact(visit):
    page, options = visit.page, visit.options
    page.goto(f"{visit.address('notebook')}/lab?token={quote(options['token'], safe='')}")
    with visit.step("the viewer"):
        run_page = f"{visit.address('mlflow')}/#/experiments/{options['experiment_id']}/runs/{options['run_id']}"
        page.goto(f"{run_page}/artifacts/{options['artifact']}")
        frame = page.locator("iframe#html")
        address = frame.get_attribute("src")
        page.frame_locator("iframe#html").get_by_text("done").wait_for()
        framed = page.frame(url=address).evaluate(LOOK)
    tab = visit.context.new_page()
    tab.goto(address)
    expect(tab).to_have_title(re.compile("^(read|refused)"))
    return {"frame": framed, "tab": tab.evaluate(LOOK)}


run(open_artifact)
