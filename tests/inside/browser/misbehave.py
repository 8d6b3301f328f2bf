"""Do in a page what no page should: send a request outside, print an error, and fail.

Options: `outside`, a URL that does not exist. Results: only complaints.
"""

from visit import run

MISBEHAVIOUR = """outside => {
    console.error("something is wrong");
    setTimeout(() => { throw new Error("something failed"); });
    return fetch(outside).catch(() => null);
}"""


def misbehave(visit):
    with visit.step("misbehave"):
        visit.page.goto(f"{visit.address('notebook')}/login")
        with visit.page.expect_event("pageerror"):
            visit.page.evaluate(MISBEHAVIOUR, visit.options["outside"])
    return {}


run(misbehave)
