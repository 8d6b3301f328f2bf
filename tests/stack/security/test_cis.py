"""The containers meet each item of the CIS Docker Benchmark, except those listed in docs/security.md."""

import pytest

from tests.support.cis import ITEMS, NOT_MET
from toolbox.compose import SERVICES

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("item", ITEMS)
def test_a_container_meets_the_cis_item_or_is_a_known_exception(toolbox, item, service):
    exceptions, _ = NOT_MET.get(item, ((), ""))
    _, is_met = ITEMS[item]
    assert bool(is_met(toolbox.inspect(service))) == (service not in exceptions)
