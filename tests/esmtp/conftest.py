"""A session to write playbooks for."""

from collections.abc import Iterator

import pytest

from appliance.esmtp.session import Session, Settings
from tests.playbook import Playbook


@pytest.fixture
def session() -> Iterator[Playbook]:
    """A session without limits; a playbook that leaves a fact unexpected fails."""
    playbook = Playbook(Session(Settings()))
    yield playbook
    playbook.finish()
