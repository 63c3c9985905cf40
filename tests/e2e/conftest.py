"""One running firewall for many tests, twice: as virtual links are, and with every split of a real wire visible."""

import os
from collections.abc import Iterator

import pytest

from tests.e2e.box import Box, box

WIRES = {
    "super-packets": {"mtu": 1500, "offloads": True},
    "offloads off, MTU 576": {"mtu": 576, "offloads": False},
}


@pytest.fixture(scope="session", params=WIRES, ids=list(WIRES))
def mail(request: pytest.FixtureRequest) -> Iterator[Box]:
    """The box, on each kind of wire."""
    with box(f"fxe{os.getpid()}", **WIRES[request.param]) as made:
        yield made
