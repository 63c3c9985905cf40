"""What waits in a worker while root does not read is bounded, whatever it is."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address

import pytest

from appliance.daemon import channel, worker
from appliance.daemon.worker import Worker
from appliance.datapath.effects import Effect, Emit, Kill, SendReset
from appliance.flow import Endpoint, Flow
from appliance.syslog import LeftAlone
from tests.wire import count, engine

BACKLOG = 200


def flow(number: int) -> Flow:
    return Flow(
        Endpoint("outside", IPv4Address("203.0.113.10"), number), Endpoint("inside", IPv4Address("192.0.2.25"), 25)
    )


def test_what_root_does_not_read_is_bounded_and_orders_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "BACKLOG", BACKLOG)
    monkeypatch.setattr(worker.privileges, "worker_account", lambda: None)
    made = Worker(None)  # type: ignore[arg-type]  # it is not begun
    ours, roots = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, roots:
        ours.setblocking(False)
        roots.setblocking(False)
        made._requests, made._datapath = ours, engine()
        made._engine = made._datapath._count
        for number in range(2 * BACKLOG):
            effects: list[Effect] = [Kill(flow(number)), SendReset(flow(number), True, 1, 1)]
            made._perform([Emit(LeftAlone(flow(number).client, flow(number).server)), *effects])
        assert (len(made._orders), len(made._records)) == (BACKLOG, BACKLOG)
        unsent = count(made._datapath, "unsent")
        heard = []
        while made._orders or made._records:
            made._flush()
            try:
                while True:
                    heard.append(channel.decode(roots.recv(channel.MAX_MESSAGE)))
            except BlockingIOError:
                pass
        assert all(isinstance(each, Emit) for each in heard[-BACKLOG:])
        assert len(heard) + unsent == 3 * 2 * BACKLOG, "what was given up is counted"
        assert heard[-BACKLOG - 1] == SendReset(flow(2 * BACKLOG - 1), True, 1, 1), "the newest were kept"
