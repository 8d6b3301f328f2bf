"""docs/security.md lists exactly the items of the CIS check."""

import re

from tests.support.cis import ITEMS, NOT_MET
from tests.support.layers import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text()


def test_the_document_has_a_row_for_each_item_of_the_cis_check():
    rows = re.findall(r"^\| ([45]\.\d+) \| (.*?) \| (.*?) \|$", TEXT, re.M)
    assert rows == [
        (item, asked, ", ".join(NOT_MET[item][0]) if item in NOT_MET else "") for item, (asked, _) in ITEMS.items()
    ]


def test_the_document_has_the_reason_for_each_exception_to_the_cis_check():
    reasons = dict(re.findall(r"^- \*\*([45]\.\d+)\*\*: (.*)\.$", TEXT, re.M))
    assert reasons == {item: reason for item, (_, reason) in NOT_MET.items()}
