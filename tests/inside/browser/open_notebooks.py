"""Open notebooks one by one from the file browser of JupyterLab, and change nothing.

Options: `token`; `home`, a folder in the home; `names` of the notebooks in it. Results: the names of those that
JupyterLab marks as `modified`, and would ask to save.
"""

from urllib.parse import quote

from visit import run


def open_notebooks(visit):
    page, options = visit.page, visit.options
    modified = []
    with visit.step("open the folder"):
        # `reset` closes what an earlier visit had open.
        page.goto(f"{visit.address('notebook')}/lab?reset&token={quote(options['token'], safe='')}")
        page.get_by_role("listitem").filter(has=page.get_by_text(options["home"], exact=True)).dblclick()
    for name in options["names"]:
        with visit.step(f"open {name}"):
            page.locator(".jp-DirListing-item", has=page.get_by_text(name, exact=True)).dblclick()
            tab = page.locator("#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current", has_text=name)
            tab.wait_for()
            # By then JupyterLab has the kernel's metadata, and writes it into a notebook that has others.
            page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        if "jp-mod-dirty" in tab.get_attribute("class"):
            modified.append(name)
    return {"modified": modified}


run(open_notebooks)
