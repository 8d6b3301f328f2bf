"""Find a run in MLflow's pages, as a person would: by clicks, from the first page on.

Asked for: `experiment`, its name; `run_id`; `metric`; `picture` and `text`, the names of two artifacts; `model` and
`version`, what the run registered. Seen: the text of the run's page (`overview`); how many `points` the line in the
metric's chart has; the size of the `picture` in pixels; the page that shows the `text`; the text of the model's row in
the `registry`, and of the page of its `version`.
"""

import re

from visit import run


def find_run(visit):
    page, told = visit.page, visit.told

    with visit.step("the first page"):
        page.goto(visit.address("mlflow"))
        # MLflow begins with what is for language models.
        page.get_by_role("button", name="Model training").click()
        page.get_by_role("button", name="Close", exact=True).click()
    with visit.step("the experiments"):
        page.get_by_role("link", name="Experiments", exact=True).click()
        page.get_by_placeholder("Search experiments").fill(told["experiment"])
        page.get_by_role("link", name=told["experiment"], exact=True).click()
    with visit.step("the runs"):
        row = page.get_by_role("row").locator(f"a[href*='{told['run_id']}']").first
        row.wait_for()
    with visit.step("the run"):
        row.click()
        page.get_by_text(told["run_id"]).first.wait_for()
        page.get_by_text(told["metric"], exact=True).first.wait_for()
        overview = page.locator("main").inner_text()
    with visit.step("the chart"):
        page.get_by_role("tab", name="Model metrics").click()
        # The card of one chart is the innermost thing that has both its name and its plot.
        plot = page.locator(".js-plotly-plot")
        card = page.locator("div", has=page.get_by_text(told["metric"], exact=True)).filter(has=plot).last
        line = card.locator(".scatterlayer path.js-line").first
        line.wait_for()
        points = len(re.findall(r"[ML]", line.get_attribute("d")))
    with visit.step("the picture"):
        page.get_by_role("tab", name="Artifacts").click()
        page.get_by_text(told["picture"], exact=True).click()
        image = page.get_by_role("img", name=told["picture"])
        # Waits until it is loaded, and fails when it cannot be.
        image.evaluate("image => image.decode()")
        size = image.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    with visit.step("the text"):
        page.get_by_text(told["text"], exact=True).first.click()
        page.locator("code, pre").first.wait_for()
        text = page.locator("main").inner_text()
    with visit.step("the registry"):
        page.get_by_role("link", name="Model registry").click()
        # At the first visit a dialog that praises these pages covers them.
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Close").click()
        dialog.wait_for(state="hidden")
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=told["model"], exact=True))
        registry = row.inner_text()
    with visit.step("the version"):
        row.get_by_role("link", name=told["model"], exact=True).click()
        page.get_by_role("link", name=f"Version {told['version']}", exact=True).click()
        page.get_by_text("Aliases").wait_for()
        page.get_by_text("Loading").first.wait_for(state="hidden")
        version = page.locator("main").inner_text()
    return {
        "overview": overview,
        "points": points,
        "picture": size,
        "text": text,
        "registry": registry,
        "version": version,
    }


run(find_run)
