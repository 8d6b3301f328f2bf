"""Try to log in to JupyterLab with a token.

Options: `token`, and `by`, which is `form` or `address`. Results: whether JupyterLab appears (`inside`), the text of
the page (`text`), and whether JupyterLab then opens without a token (`opens`).
"""

from urllib.parse import quote

from visit import run


def log_in(visit):
    page, own, token = visit.page, visit.address("notebook"), visit.options["token"]
    field = page.get_by_label("Password or token:")
    lab = page.get_by_role("menuitem", name="File", exact=True)
    with visit.step("log in"):
        if visit.options["by"] == "form":
            page.goto(own)
            field.fill(token)
            with page.expect_navigation():
                page.get_by_role("button", name="Log in", exact=True).click()
        else:
            page.goto(f"{own}/lab?token={quote(token, safe='')}")
        lab.or_(field).wait_for()
        inside, text = lab.is_visible(), page.locator("body").inner_text()
    with visit.step("come again"):
        page.goto(f"{own}/lab")
        lab.or_(field).wait_for()
    return {"inside": inside, "text": text, "opens": lab.is_visible()}


run(log_in)
