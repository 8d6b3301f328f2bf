"""Do in a page what no page should: ask outside, say that something is wrong, and fail.

Asked for: `outside`, an address that nobody has. Seen: nothing but complaints.
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
            visit.page.evaluate(MISBEHAVIOUR, visit.told["outside"])
    return {}


run(misbehave)
