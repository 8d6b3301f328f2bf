"""Find a run in MLflow's pages as a person would, by clicks from the first page.

Options: `experiment`, its name; `run_id`; `metric`; `picture`, the name of an artifact; the registered `model` and its
`version`; `large`, whether to enlarge the charts. Results: the number of `lines` in the metric's chart of all runs, and
of `points` in that of the run; the text of the run's page (`overview`); the size of the `picture` in pixels; the text
of the model's row in the `registry`, and of the page of its `version`.
"""

import re

from playwright.sync_api import expect
from visit import run

LOADING = re.compile("loading", re.IGNORECASE)
LINE = ".scatterlayer path.js-line"


def chart(page, metric):
    """Return the chart of a metric."""
    charts = page.get_by_test_id("experiment-view-compare-runs-card")
    return charts.filter(has=page.get_by_text(metric, exact=True))


def enlarge(page, card):
    """Drag a chart's corner to the right, so that two instead of three fit next to each other."""
    box = card.bounding_box()
    corner = {"x": box["x"] + box["width"] - 8, "y": box["y"] + box["height"] - 8}
    page.mouse.move(**corner)
    page.mouse.down()
    page.mouse.move(corner["x"] + box["width"] / 2, corner["y"], steps=10)
    page.mouse.up()
    drawn = card.locator("svg.main-svg").first.element_handle()
    page.wait_for_function("([drawn, width]) => drawn.clientWidth > width", arg=[drawn, box["width"]])


def find_run(visit):
    page, options = visit.page, visit.options
    main = page.locator("main")

    with visit.step("the first page"):
        page.goto(visit.address("mlflow"))
    with visit.step("the experiments"):
        page.get_by_role("link", name="Experiments", exact=True).click()
        page.get_by_placeholder("Search experiments").fill(options["experiment"])
        page.get_by_role("link", name=options["experiment"], exact=True).click()
    with visit.step("the runs"):
        row = page.get_by_role("row").locator(f"a[href*='{options['run_id']}']").first
        row.wait_for()
    with visit.step("the comparison"):
        page.locator("label", has=page.locator("input[type=radio][value=CHART]")).click()
        # More space for the charts, and only those of val_loss and val_accuracy.
        page.get_by_role("button", name="Toggle sidebar").click()
        page.get_by_placeholder("Search metric charts").fill(f"^{options['metric'].split('_')[0]}_")
        drawn = chart(page, options["metric"]).locator(LINE)
        drawn.nth(1).wait_for()
        # A line can be drawn twice, but each has a different colour.
        lines = drawn.evaluate_all("lines => new Set(lines.map(line => line.style.stroke)).size")
        if options.get("large"):
            enlarge(page, chart(page, options["metric"]))
    with visit.step("the run"):
        page.get_by_role("button", name="Toggle sidebar").click()
        row.click()
        page.get_by_text(options["run_id"]).first.wait_for()
        page.get_by_text(options["metric"], exact=True).first.wait_for()
        expect(main).not_to_contain_text(LOADING)
        overview = main.inner_text()
    with visit.step("the chart"):
        page.get_by_role("tab", name="Model metrics").click()
        line = chart(page, options["metric"]).locator(LINE).first
        line.wait_for()
        points = len(re.findall(r"[ML]", line.get_attribute("d")))
    with visit.step("the picture"):
        page.get_by_role("tab", name="Artifacts").click()
        page.get_by_text(options["picture"], exact=True).click()
        image = page.get_by_role("img", name=options["picture"])
        # Waits until it is loaded, and fails if it cannot be.
        image.evaluate("image => image.decode()")
        size = image.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    with visit.step("the registry"):
        page.get_by_role("link", name="Model registry").click()
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=options["model"], exact=True))
        registry = row.inner_text()
    with visit.step("the version"):
        row.get_by_role("link", name=options["model"], exact=True).click()
        page.get_by_role("link", name=f"Version {options['version']}", exact=True).click()
        page.get_by_text("Aliases").wait_for()
        expect(main).not_to_contain_text(LOADING)
        version = main.inner_text()
    return {
        "lines": lines,
        "overview": overview,
        "points": points,
        "picture": size,
        "registry": registry,
        "version": version,
    }


run(find_run)
