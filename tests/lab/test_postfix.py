"""A stored message is what was sent, once the header lines of its way are taken off."""

import pytest

from appliance.lab.postfix import without_trace


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        (
            b"Return-Path: <a>\nDelivered-To: b\nReceived: from x\n\tby y;\n  date\nSubject: s\n\nbody\n",
            b"Subject: s\n\nbody\n",
        ),
        (b"Received: from x\n\n\nbody\n", b"\n\nbody\n"),
        (b"Received: from x\n", b""),
        (
            b"Subject: s\nReceived: by the sender's own system\n\n",
            b"Subject: s\nReceived: by the sender's own system\n\n",
        ),
    ],
)
def test_only_the_lines_in_front_are_taken_off(stored: bytes, sent: bytes) -> None:
    assert without_trace(stored) == sent
