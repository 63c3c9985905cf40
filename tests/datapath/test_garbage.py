"""The engine makes no cycles: a worker does not look for any, so what it is done with has to go by itself."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from appliance.tcp.segment import ACK, RST
from tests.wire import CLIENT, SECOND, SERVER, Wire, engine

GREETING = b"220 mail.inside.example ESMTP\r\n"
EHLO = b"EHLO client.outside.example\r\n"
REPLY = b"250-mail.inside.example\r\n250-STARTTLS\r\n250 DSN\r\n"


@pytest.fixture(autouse=True)
def counted() -> Iterator[None]:
    """Whatever was made before is out of sight."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


def finished(wire: Wire) -> None:
    wire.close(CLIENT, len(EHLO))
    wire.close(SERVER, len(GREETING + REPLY))


def reset(wire: Wire) -> None:
    wire.send(CLIENT, len(EHLO), flags=RST | ACK)


def killed(wire: Wire) -> None:
    wire.send(CLIENT, len(EHLO), b"MAIL FROM:<a|b>\r\n")


def waited(wire: Wire) -> None:
    wire.send(SERVER, len(GREETING + REPLY) + 10, b"250 beyond a gap\r\n")
    wire.send(CLIENT, len(EHLO), b"XYZZY\r\nMAIL FROM:<a@b>\r\n")


def faulty(wire: Wire) -> None:
    wire.datapath.inject_fault()
    wire.send(CLIENT, len(EHLO), b"NOOP\r\n")


def idle(_: Wire) -> None:
    pass


@pytest.mark.parametrize("ending", [finished, reset, killed, waited, faulty, idle])
def test_nothing_is_left_for_the_collector(ending: object) -> None:
    assert callable(ending)
    datapath = engine()
    for port in range(1_024, 1_124):
        wire = Wire(datapath, ("203.0.113.10", port)).open().talk([(SERVER, GREETING), (CLIENT, EHLO), (SERVER, REPLY)])
        ending(wire)
        wire.datapath = None  # type: ignore[assignment]  # the wire is no part of it
    datapath.tick(8_000 * SECOND)
    assert len(datapath) == 0
    assert gc.collect() == 0
