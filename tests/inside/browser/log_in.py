"""Try to get into JupyterLab with a token.

Asked for: `token`, and `by`, which is `form` or `address`. Seen: whether JupyterLab shows (`inside`), the text of the
page that came (`text`), and whether JupyterLab opens afterwards, by itself (`opens`).
"""

from urllib.parse import quote

from visit import run


def log_in(visit):
    page, own, token = visit.page, visit.address("notebook"), visit.told["token"]
    field = page.get_by_label("Password or token:")
    lab = page.get_by_role("menuitem", name="File", exact=True)
    with visit.step("log in"):
        if visit.told["by"] == "form":
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
