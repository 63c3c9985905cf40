"""The control protocol: frames in any pieces, and nothing but its own vocabulary."""

from __future__ import annotations

import json
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.diagnostics import INVALID, Diagnostic, Place, Severity
from appliance.control import protocol
from appliance.control.protocol import (
    MAX_REQUEST,
    Framing,
    ProtocolError,
    Refusal,
    ShowConnections,
    ShowLogging,
    ShowRunningConfig,
    ShowServicePolicy,
    answer_frame,
    answer_of,
    request_frame,
    request_of,
)
from appliance.datapath.snapshot import LogUse, Machine
from appliance.show import (
    ClassReport,
    ClockReport,
    ConnectionsReport,
    InspectionReport,
    LoggingReport,
    MatchCount,
    PolicyReport,
    RunningConfigReport,
    ServicePolicyReport,
    VersionReport,
    interfaces,
)
from tests.appliances import ETH0, HARDWARE

REQUESTS = [
    ShowServicePolicy(),
    ShowConnections(),
    ShowConnections(count_only=True),
    ShowRunningConfig(),
    ShowRunningConfig(everything=True),
    ShowLogging(),
    protocol.ShowAsp(),
    protocol.ShowVersion(),
    protocol.ShowInterfaces("outside"),
    protocol.Reload(),
    protocol.TracePacket("outside", "tcp", IPv4Address("203.0.113.10"), 1, IPv4Address("192.0.2.25"), 25),
    protocol.Configure(("hostname fw", "! caf\udce9")),
    protocol.WriteMemory(),
    protocol.ShowStartupConfig(),
]
INSPECTION = InspectionReport(
    "_default_esmtp_map", 7, 1, 0, {"mask-banner": 2}, (MatchCount("cmd line length gt 512", "log", 3),), {"packet": 7}
)
CLASSES = (ClassReport("inspection_default", INSPECTION), ClassReport("exempt", None))
ANSWERS = [
    ServicePolicyReport((PolicyReport("global_policy", None, CLASSES), PolicyReport("outside", "outside", ()))),
    ConnectionsReport(0, 5, ()),
    RunningConfigReport(("hostname fw",)),
    LoggingReport(True, False, 20, None, "fw", (LogUse("buffered", 6, 3),), ("%ASA-6-302013: …",)),
    protocol.Applied("/etc/fixup/fixup.cfg", False, (Diagnostic(Severity.ERROR, Place(3, 7), INVALID, "host fw"),)),
    protocol.Written("/etc/fixup/fixup.cfg", 12, "0" * 32, 3),
    protocol.StartupConfigReport("/etc/fixup/fixup.cfg", ("hostname fw",)),
    interfaces(HARDWARE, {"eth0": ETH0}),
    VersionReport("0.1.0", "", "/f", "fw", 1, Machine("x86_64", "6.1", "", 2, 64), 1, (), ClockReport("2017", "UTC")),
    Refusal("no"),
]


def body(frame: bytes) -> bytes:
    """The one frame's octets."""
    (octets,) = Framing(1 << 26).receive(frame)
    return octets


@pytest.mark.parametrize("request_", REQUESTS, ids=repr)
def test_a_request_arrives_as_it_was_sent(request_: protocol.Request) -> None:
    assert request_of(body(request_frame(request_))) == request_


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda each: type(each).__name__)
def test_an_answer_arrives_as_it_was_sent(answer: protocol.Answer) -> None:
    assert answer_of(body(answer_frame(answer))) == answer


@given(st.lists(st.binary(max_size=40), max_size=6), st.data())
def test_frames_come_out_whole_however_they_are_cut(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(len(each).to_bytes(4, "big") + each for each in bodies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    framing = Framing(40)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += framing.receive(stream[start:end])
    assert found == bodies


def test_a_frame_over_the_limit_is_refused_at_its_length() -> None:
    assert Framing(MAX_REQUEST).receive(MAX_REQUEST.to_bytes(4, "big")) == []
    with pytest.raises(ProtocolError, match=f"{MAX_REQUEST + 1} octets; {MAX_REQUEST} is the most"):
        Framing(MAX_REQUEST).receive((MAX_REQUEST + 1).to_bytes(4, "big"))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\xff\xfe",
        b"[" * 60_000,
        b"null",
        b"[]",
        b"{}",
        b'{"request":"show conn"}',
        b'{"request":"show conn","fields":{}}',
        b'{"request":"show conn","fields":{"count_only":1}}',
        b'{"request":"show conn","fields":{"count_only":true,"more":1}}',
        b'{"request":"show conn","fields":{"count_only":true},"more":1}',
        b'{"request":"reboot","fields":{}}',
        b'{"request":["show conn"],"fields":{}}',
        b'{"answer":"refusal","fields":{"message":""}}',
        b'{"fields":{}}',
    ],
    ids=lambda octets: repr(octets[:40]),
)
def test_what_is_no_request_is_refused(octets: bytes) -> None:
    with pytest.raises(ProtocolError):
        request_of(octets)


@given(st.binary(max_size=60) | st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_no_octets_raise_anything_else(value: object) -> None:
    with pytest.raises(ProtocolError):
        request_of(value if isinstance(value, bytes) else json.dumps(value).encode())


def test_an_answer_too_large_becomes_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_ANSWER", 100)
    large = answer_of(body(answer_frame(RunningConfigReport(("x" * 100,)))))
    assert large == Refusal("the answer is too large")
