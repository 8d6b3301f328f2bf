"""Open the viewer of an HTML artifact in MLflow, and then its frame in a tab of its own, as the menu of a browser does.

Asked for: `token`, of JupyterLab, where the person is logged in; `experiment_id` and `run_id`; `artifact`, which asks
JupyterLab for its files and makes what it got its title. Seen: origin and title of the viewer's `frame` and the `tab`.
"""

import re
from urllib.parse import quote

from playwright.sync_api import expect
from visit import run

LOOK = "[self.origin, document.title]"


def open_artifact(visit):
    page, told = visit.page, visit.told
    page.goto(f"{visit.address('notebook')}/lab?token={quote(told['token'], safe='')}")
    with visit.step("the viewer"):
        run_page = f"{visit.address('mlflow')}/#/experiments/{told['experiment_id']}/runs/{told['run_id']}"
        page.goto(f"{run_page}/artifacts/{told['artifact']}")
        frame = page.locator("iframe#html")
        address = frame.get_attribute("src")
        page.frame_locator("iframe#html").get_by_text("done").wait_for()
        framed = page.frame(url=address).evaluate(LOOK)
    tab = visit.context.new_page()
    tab.goto(address)
    expect(tab).to_have_title(re.compile("^(read|refused)"))
    return {"frame": framed, "tab": tab.evaluate(LOOK)}


run(open_artifact)
