"""Open notebooks from the file browser of JupyterLab, one after the other, and change nothing.

Asked for: `token`; `home`, a folder in the home; `names`, of the notebooks in it. Seen: the names of those that are
`modified`: JupyterLab marks their tab, and would ask what to do with the changes.
"""

from urllib.parse import quote

from visit import run


def open_notebooks(visit):
    page, told = visit.page, visit.told
    modified = []
    with visit.step("open the folder"):
        # What an earlier visit had open does not come back.
        page.goto(f"{visit.address('notebook')}/lab?reset&token={quote(told['token'], safe='')}")
        page.get_by_role("listitem").filter(has=page.get_by_text(told["home"], exact=True)).dblclick()
    for name in told["names"]:
        with visit.step(f"open {name}"):
            page.locator(".jp-DirListing-item", has=page.get_by_text(name, exact=True)).dblclick()
            tab = page.locator("#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current", has_text=name)
            tab.wait_for()
            # The kernel has said what it is by then, which JupyterLab writes into a notebook that knows it differently.
            page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        if "jp-mod-dirty" in tab.get_attribute("class"):
            modified.append(name)
    return {"modified": modified}


run(open_notebooks)
