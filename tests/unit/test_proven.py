"""The table at the end of a test run lists what has passed, and nothing else."""

from types import SimpleNamespace

from tests.support import proven


def reports(*claims):
    """Return reports of tests with these claims."""
    return [SimpleNamespace(user_properties=[("other", 1), (proven.PROPERTY, claim)]) for claim in claims]


def test_a_claim_is_listed_with_the_number_of_its_tests():
    passed = reports("A model loads back.", "A model loads back.")
    assert "    2  A model loads back." in proven.table({"passed": passed})


def test_a_claim_with_a_failed_test_is_not_listed():
    passed = reports("a", "b", "c", "d")
    stats = {"passed": passed, "failed": reports("b"), "error": reports("c"), "skipped": reports("e")}
    assert [line.split()[-1] for line in proven.table(stats) if line][1:] == ["a", "d"]


def test_nothing_is_listed_if_nothing_passed():
    assert proven.table({"failed": reports("a")}) == []


def test_a_test_file_that_cannot_be_imported_has_no_claim():
    assert proven.table({"error": [SimpleNamespace()]}) == []
