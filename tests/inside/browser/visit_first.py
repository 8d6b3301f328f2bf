"""Open MLflow's pages for the first time, then choose those for language models, and reload.

Options: `experiment`, its name. Results: the text of the first page (`first`); the URL after a click on the experiment
(`runs`); the numbers of dialogs and buttons of the assistant on the first page, on the traces and in the registry
(`dialogs`); whether the switch for telemetry is on (`telemetry`); and the `menu` after the choice and a reload.
"""

from visit import run


def visit_first(visit):
    page, dialogs = visit.page, []
    experiment = page.get_by_role("link", name=visit.options["experiment"], exact=True)
    menu = page.get_by_role("navigation")
    # MLflow marks the elements of the assistant.
    overlays = page.get_by_role("dialog").or_(page.locator("[data-assistant-ui]:visible"))
    with visit.step("the first page"):
        page.goto(visit.address("mlflow"))
        experiment.wait_for()
        first = page.locator("body").inner_text()
        dialogs.append(overlays.count())
    with visit.step("the runs"):
        experiment.click()
        page.get_by_role("heading", name="Runs", exact=True).wait_for()
        runs = page.url
    with visit.step("the traces"):
        page.get_by_role("link", name="Traces", exact=True).click()
        page.get_by_role("button", name="Detect issues in traces").wait_for()
        dialogs.append(overlays.count())
    with visit.step("the first view of the registry"):
        page.get_by_role("link", name="Model registry").click()
        page.get_by_text("New model registry UI").wait_for()
        dialogs.append(overlays.count())
    with visit.step("the settings"):
        page.get_by_role("link", name="Settings", exact=True).click()
        # The first switch is for the theme.
        telemetry = page.get_by_role("switch").nth(1).is_checked()
    with visit.step("the choice"):
        page.goto(visit.address("mlflow"))
        page.get_by_role("button", name="GenAI", exact=True).click()
        menu.get_by_role("link", name="Prompts", exact=True).wait_for()
        page.reload()
        experiment.wait_for()
        chosen = menu.inner_text()
    return {"first": first, "runs": runs, "dialogs": dialogs, "telemetry": telemetry, "menu": chosen}


run(visit_first)
