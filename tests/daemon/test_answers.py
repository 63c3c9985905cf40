"""Answers to operators: a table is read part by part, and what the kernel refuses is said in its own sentence."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.control.protocol import (
    ClearConnections,
    ClearTranslations,
    Refusal,
    ShowConnections,
    ShowNat,
    ShowTranslations,
)
from appliance.daemon.answers import Operators
from appliance.daemon.flows import LoggedFlows
from appliance.kernel import conntrack, netfilter
from appliance.kernel.errors import KernelError
from appliance.nat.connection import Connection, State
from appliance.show import ConnectionsReport, PortRange, TranslationsWanted, Wanted
from tests.appliances import PLAIN, connection


def operators(*chunks: list[Connection], read: list[int] | None = None) -> Operators:
    """Over a table of these chunks; `read` notes each that is read."""

    def walk() -> Iterator[list[Connection]]:
        for number, chunk in enumerate(chunks):
            if read is not None:
                read.append(number)
            yield chunk

    books: Any = SimpleNamespace(in_use=7, most_used=9, fetch=lambda: None)
    configuration: Any = SimpleNamespace(running=PLAIN)
    table: Any = SimpleNamespace(walk=walk)
    return Operators(configuration, table, books, LoggedFlows(), 2, lambda: pytest.fail("no snapshot is needed"))


def test_a_long_list_is_read_as_it_is_sent() -> None:
    read: list[int] = []
    chunks = [[connection(State.SYN, port)] for port in (1, 2, 3)]
    parts = operators(*chunks, read=read).answer(ShowConnections(wanted=Wanted(ports=(PortRange(2, 3),))))
    assert isinstance(parts, Iterator)
    assert next(parts) == ConnectionsReport(7, 9, ())
    assert read == []
    assert next(parts) is None  # nothing of the first chunk is wanted, and others have had their turn
    assert read == [0]
    found = [each.connections[0].initiator.port for each in parts if isinstance(each, ConnectionsReport)]
    assert (found, read) == ([2, 3], [0, 1, 2])


@pytest.mark.parametrize("asked", [ShowTranslations, ClearTranslations])
def test_translations_of_an_interface_that_is_none_are_refused(asked: Any) -> None:
    wanted = TranslationsWanted(interfaces=("inside", "insdie"))
    assert operators().answer(asked(wanted=wanted)) == Refusal("there is no interface insdie")


def test_what_the_kernel_refuses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_table: str) -> None:
        raise KernelError("there is no iptables-save: apt install iptables")

    monkeypatch.setattr(netfilter, "counters", refuse)
    made = operators()
    made.settle(PLAIN)
    assert made.answer(ShowNat()) == Refusal("there is no iptables-save: apt install iptables")


def test_what_the_kernel_refuses_of_a_part_is_said_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_keys: object) -> None:
        raise KernelError("connection tracking cannot be told: No buffer space available")

    asked = operators([connection(State.ESTABLISHED)])
    asked._table = SimpleNamespace(  # type: ignore[assignment]  # a table of one connection, which it clears
        walk=lambda: iter([[connection(State.ESTABLISHED)]]), clear=len
    )
    monkeypatch.setattr(conntrack, "delete", refuse)
    parts = asked.answer(ClearConnections(Wanted()))
    assert isinstance(parts, Iterator)
    assert list(parts) == [Refusal("connection tracking cannot be told: No buffer space available")]
