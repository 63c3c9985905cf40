"""Firewalls that many tests share."""

from collections.abc import Iterator

import pytest

from tests.appliances import EXAMPLE
from tests.e2e.box import Box, box
from tests.e2e.firewall import Firewall, firewall

#: As virtual links are, and with every split of a real wire visible.
WIRES = {
    "super-packets": {"mtu": 1500, "offloads": True},
    "offloads off, MTU 576": {"mtu": 576, "offloads": False},
}


@pytest.fixture(scope="session", params=WIRES, ids=list(WIRES))
def mail(request: pytest.FixtureRequest) -> Iterator[Box]:
    """The box, on each kind of wire."""
    with box("fxe", **WIRES[request.param]) as made:
        yield made


@pytest.fixture(scope="session")
def standing() -> Iterator[Firewall]:
    """One firewall for all tests that want nothing but rules of their own: they put it `under` them."""
    with firewall("fxf", EXAMPLE) as made:
        yield made
