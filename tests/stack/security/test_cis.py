"""The containers against the CIS Docker Benchmark: each holds an item, or is an exception of docs/security.md."""

import pytest

from tests.support.cis import ITEMS, NOT_MET
from toolbox.compose import SERVICES

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("item", ITEMS)
def test_a_container_meets_the_item_or_is_an_exception(toolbox, item, service):
    exceptions, _ = NOT_MET.get(item, ((), ""))
    _, is_met = ITEMS[item]
    assert bool(is_met(toolbox.inspect(service))) == (service not in exceptions)
