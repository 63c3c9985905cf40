"""The log records: ASA's sentences to the octet, headers, no forged lines, and the JSON between our processes."""

from __future__ import annotations

import enum
import json
from dataclasses import fields
from datetime import datetime
from ipaddress import IPv4Address
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import syslog
from appliance.flow import Endpoint, Side
from appliance.syslog import ActionClass, ActionTaken, Direction, Message, Reason, Record, Termination, TranslationKind

CLIENT = Endpoint("outside", IPv4Address("203.0.113.10"), 40000)
SERVER = Endpoint("inside", IPv4Address("192.0.2.25"), 25)
MAPPED = Endpoint("outside", IPv4Address("203.0.113.125"), 25)

SENTENCES = [
    (
        syslog.StringReplaced(CLIENT, SERVER, b"MAIL FROM:<a<b@example.com>\r\n"),
        "%ASA-2-108002: SMTP replaced string: out 203.0.113.10 in 192.0.2.25 data: MAIL FROM:<a<b@example.com>"
        "\\015\\012",
    ),
    (
        syslog.MaliciousPattern(CLIENT, SERVER, b"<|/bin/sh>"),
        "%ASA-2-108003: Terminating ESMTP connection; malicious pattern detected in the mail address from "
        "outside:203.0.113.10/40000 to inside:192.0.2.25/25. Mail Address:<|/bin/sh>",
    ),
    (
        syslog.EsmtpAction(
            ActionClass.CLASSIFICATION,
            ActionTaken.DROPPED_CONNECTION,
            Message.REQUEST,
            CLIENT,
            SERVER,
            "matched Class 4: header line length gt 998",
        ),
        "%ASA-4-108004: ESMTP Classification: Dropped connection for ESMTP Request from outside:203.0.113.10/40000 "
        "to inside:192.0.2.25/25; matched Class 4: header line length gt 998",
    ),
    (
        syslog.EsmtpAction(
            ActionClass.PARAMETER,
            ActionTaken.RESET_CONNECTION,
            Message.RESPONSE,
            SERVER,
            CLIENT,
            "server-transition: 354 without DATA",
        ),
        "%ASA-4-108004: ESMTP Parameter: Reset connection for ESMTP Response from inside:192.0.2.25/25 "
        "to outside:203.0.113.10/40000; server-transition: 354 without DATA",
    ),
    (
        syslog.EsmtpReceived(
            ActionClass.CLASSIFICATION, Message.REQUEST, CLIENT, SERVER, "matched Class 3: body line length gt 998"
        ),
        "%ASA-6-108005: ESMTP Classification: Received ESMTP Request from outside:203.0.113.10/40000 "
        "to inside:192.0.2.25/25; matched Class 3: body line length gt 998",
    ),
    (
        syslog.SizeViolation(CLIENT, SERVER, 1000, 1001),
        "%ASA-7-108006: Detected ESMTP size violation from outside:203.0.113.10/40000 to inside:192.0.2.25/25; "
        "declared size is: 1000, actual size is 1001",
    ),
    (
        syslog.TlsStarted(CLIENT, SERVER),
        "%ASA-6-108007: TLS started on ESMTP session between client outside:203.0.113.10/40000 "
        "and server inside:192.0.2.25/25",
    ),
    (
        syslog.EmbryonicLimitExceeded(20, 20, CLIENT, SERVER),
        "%ASA-6-201010: Embryonic connection limit exceeded 20/20 for input packet from 203.0.113.10/40000 "
        "to 192.0.2.25/25 on interface outside",
    ),
    (
        syslog.ConnectionLimitExceeded(51, 50, CLIENT, SERVER),
        "%ASA-3-201011: Connection limit exceeded 51/50 for input packet from 203.0.113.10/40000 "
        "to 192.0.2.25/25 on interface outside",
    ),
    (
        syslog.ClientEmbryonicLimitExceeded(3, 3, CLIENT, SERVER),
        "%ASA-6-201012: Per-client embryonic connection limit exceeded 3/3 for input packet from 203.0.113.10/40000 "
        "to 192.0.2.25/25 on interface outside",
    ),
    (
        syslog.ClientLimitExceeded(5, 5, CLIENT, SERVER),
        "%ASA-3-201013: Per-client connection limit exceeded 5/5 for input packet from 203.0.113.10/40000 "
        "to 192.0.2.25/25 on interface outside",
    ),
    (
        syslog.ConnectionBuilt(Direction.INBOUND, 11, CLIENT, CLIENT, SERVER, MAPPED),
        "%ASA-6-302013: Built inbound TCP connection 11 for outside:203.0.113.10/40000 (203.0.113.10/40000) "
        "to inside:192.0.2.25/25 (203.0.113.125/25)",
    ),
    (
        syslog.ConnectionTornDown(9, CLIENT, SERVER, 92 * 3600 + 24 * 60 + 20, 1774, Reason.FINS),
        "%ASA-6-302014: Teardown TCP connection 9 for outside:203.0.113.10/40000 to inside:192.0.2.25/25 "
        "duration 92:24:20 bytes 1774 TCP FINs",
    ),
    (
        syslog.TranslationBuilt("inside", SERVER.address, "outside", MAPPED.address),
        "%ASA-6-305009: Built static translation from inside:192.0.2.25 to outside:203.0.113.125",
    ),
    (
        syslog.TranslationTornDown("inside", SERVER.address, "outside", MAPPED.address, 30),
        "%ASA-6-305010: Teardown static translation from inside:192.0.2.25 to outside:203.0.113.125 duration 0:00:30",
    ),
    (
        syslog.PortTranslationBuilt(TranslationKind.DYNAMIC, SERVER, MAPPED),
        "%ASA-6-305011: Built dynamic TCP translation from inside:192.0.2.25/25 to outside:203.0.113.125/25",
    ),
    (
        syslog.PortTranslationTornDown(TranslationKind.STATIC, SERVER, MAPPED, 30),
        "%ASA-6-305012: Teardown static TCP translation from inside:192.0.2.25/25 to outside:203.0.113.125/25 "
        "duration 0:00:30",
    ),
    (
        syslog.LocalHostBuilt("outside", CLIENT.address),
        "%ASA-7-609001: Built local-host outside:203.0.113.10",
    ),
    (
        syslog.LocalHostTornDown("outside", CLIENT.address, 0),
        "%ASA-7-609002: Teardown local-host outside:203.0.113.10 duration 0:00:00",
    ),
    (
        syslog.EntryHit("acl_in", True, "tcp", SERVER, CLIENT, 1, 0, "0x71a87d94", 6),
        "%ASA-6-106100: access-list acl_in permitted tcp inside/192.0.2.25(25) -> outside/203.0.113.10(40000) "
        "hit-cnt 1 first hit [0x71a87d94, 0x0]",
    ),
    (
        syslog.EntryHit("acl_in", False, "icmp", CLIENT, SERVER, 144, 300, "0x71a87d94", 4),
        "%ASA-4-106100: access-list acl_in denied icmp outside/203.0.113.10(40000) -> inside/192.0.2.25(25) "
        "hit-cnt 144 300-second interval [0x71a87d94, 0x0]",
    ),
    (
        syslog.NatMismatch("tcp", CLIENT, SERVER),
        "%ASA-5-305013: Asymmetric NAT rules matched for forward and reverse flows; Connection for tcp "
        "src outside:203.0.113.10/40000 dst inside:192.0.2.25/25 denied due to NAT reverse path failure",
    ),
    (
        syslog.NatMismatch("icmp", CLIENT, SERVER, 8, 3),
        "%ASA-5-305013: Asymmetric NAT rules matched for forward and reverse flows; Connection for icmp "
        "src outside:203.0.113.10 dst inside:192.0.2.25 (type 8, code 3) denied due to NAT reverse path failure",
    ),
    (
        syslog.DenyFlowsFull(4096),
        "%ASA-1-106101: Number of cached deny-flows for ACL log has reached limit (4096)",
    ),
    (
        syslog.SpoofedSource("TCP", CLIENT, SERVER),
        "%ASA-1-106021: Deny TCP reverse path check from 203.0.113.10 to 192.0.2.25 on interface outside",
    ),
    (
        syslog.InboundDenied(CLIENT, SERVER, "SYN"),
        "%ASA-2-106001: Inbound TCP connection denied from 203.0.113.10/40000 to 192.0.2.25/25 "
        "flags SYN  on interface outside",
    ),
    (
        syslog.NoConnection(CLIENT, SERVER, "FIN PSH ACK"),
        "%ASA-6-106015: Deny TCP (no connection) from 203.0.113.10/40000 to 192.0.2.25/25 "
        "flags FIN PSH ACK  on interface outside",
    ),
    (
        syslog.AccessDenied("tcp", CLIENT, SERVER, "acl_out"),
        '%ASA-4-106023: Deny tcp src outside:203.0.113.10/40000 dst inside:192.0.2.25/25 by access-group "acl_out" '
        "[0x0, 0x0]",
    ),
    (
        syslog.AccessDenied("protocol 47", CLIENT, SERVER, "acl_out"),
        '%ASA-4-106023: Deny protocol 47 src outside:203.0.113.10 dst inside:192.0.2.25 by access-group "acl_out" '
        "[0x0, 0x0]",
    ),
    (
        syslog.AccessDenied("icmp", CLIENT, SERVER, "acl_out", 8, 0),
        "%ASA-4-106023: Deny icmp src outside:203.0.113.10 dst inside:192.0.2.25 (type 8, code 0) "
        'by access-group "acl_out" [0x0, 0x0]',
    ),
    (
        syslog.FlowTerminated(CLIENT, SERVER, Termination.DISCONNECTED),
        "%ASA-4-507003: tcp flow from outside:203.0.113.10/40000 to inside:192.0.2.25/25 terminated by inspection "
        "engine, reason - inspector disconnected, dropped packet.",
    ),
    (
        syslog.AverageRateExceeded(MAPPED.address, SERVER.address, 25, 300, 200),
        "%ASA-4-733104: TCP Intercept SYN flood attack detected to 203.0.113.125/25 (192.0.2.25/25). "
        "Average rate of 300 SYNs/sec exceeded the threshold of 200.",
    ),
    (
        syslog.BurstRateExceeded(MAPPED.address, SERVER.address, 25, 500, 400),
        "%ASA-4-733105: TCP Intercept SYN flood attack detected to 203.0.113.125/25 (192.0.2.25/25). "
        "Burst rate of 500 SYNs/sec exceeded the threshold of 400.",
    ),
    (
        syslog.EngineFault("outside:203.0.113.10/40000", "ValueError", "session.py:9 feed", "0123456789ab"),
        "%FIXUP-3-900001: Inspection engine fault on outside:203.0.113.10/40000: ValueError at session.py:9 feed, "
        "digest 0123456789ab",
    ),
    (
        syslog.WorkerRestarted(0, "signal 9", 4711),
        "%FIXUP-3-900002: Inspection worker 0 ended (signal 9), restarted as process 4711",
    ),
    (
        syslog.EventsLost(3),
        "%FIXUP-4-900003: 3 connection events lost: the log lacks their records, the counts are right",
    ),
    (
        syslog.TableFull(3),
        "%FIXUP-3-900004: Connection table full: 3 new connections refused",
    ),
    (
        syslog.ConnectionsForgotten(),
        "%FIXUP-4-900008: Connections of an earlier run ended: their table is gone, and nothing counted them",
    ),
    (
        syslog.ClassTableFull(3),
        "%FIXUP-3-900007: Table of the servers and clients of classes full: 3 new connections refused",
    ),
    (
        syslog.LeftAlone(CLIENT, SERVER),
        "%FIXUP-4-900006: Inspection of outside:203.0.113.10/40000 to inside:192.0.2.25/25 given up: octets passed "
        "unseen (fail-open)",
    ),
    (
        syslog.CommandExecuted("write memory"),
        "%ASA-5-111008: User 'enable_15' executed the 'write memory' command.",
    ),
    (
        syslog.ConfigurationRefused("reload", "/etc/fixup/fixup.cfg has 3 errors"),
        "%FIXUP-3-900005: Command 'reload' changed nothing: /etc/fixup/fixup.cfg has 3 errors",
    ),
]


@pytest.mark.parametrize(("record", "line"), SENTENCES, ids=lambda each: getattr(each, "id", ""))
def test_sentence(record: Record, line: str) -> None:
    assert syslog.render(record) == line


def test_every_message_has_its_sentence_here() -> None:
    assert {type(record) for record, _ in SENTENCES} == set(syslog.CATALOGUE.values())


@pytest.mark.parametrize(
    ("header", "start"),
    [
        ({}, "%ASA-6-302014: "),
        ({"facility": 20}, "<166>%ASA-6-302014: "),
        ({"facility": 20, "when": datetime(2026, 11, 21, 3, 4, 28)}, "<166>Nov 21 2026 03:04:28: %ASA-6-302014: "),
        ({"when": datetime(2017, 3, 9, 10, 25, 4), "device_id": "fw"}, "Mar 09 2017 10:25:04 fw : %ASA-6-302014: "),
        ({"device_id": "HQ-ASA5585"}, "HQ-ASA5585 : %ASA-6-302014: "),
        ({"facility": 16, "device_id": "fw"}, "<134>fw : %ASA-6-302014: "),
    ],
)
def test_header(header: dict, start: str) -> None:
    record = syslog.ConnectionTornDown(9, CLIENT, SERVER, 30, 0, Reason.SYN_TIMEOUT)
    assert syslog.render(record, **header) == start + record.text()


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (b"HELO a", "HELO a"),
        (b"\r\n<2>%ASA-2-108003: forged", "\\015\\012<2>%ASA-2-108003: forged"),
        (b"\x1b[2J\x00\x7f\x80\xff", "\\033[2J\\000\\177\\200\\377"),
        (b"a" * 128, "a" * 128),
        (b"a" * 129, "a" * 128 + "…"),
        (b"\n" * 129, "\\012" * 128 + "…"),
    ],
)
def test_octets_of_a_peer_are_printable(octets: bytes, shown: str) -> None:
    assert syslog.printable(octets) == shown


def test_a_record_keeps_no_more_octets_than_it_shows() -> None:
    malicious = syslog.MaliciousPattern(CLIENT, SERVER, b"a" * 100_000)
    replaced = syslog.StringReplaced(CLIENT, SERVER, b"a" * 100_000)
    assert len(malicious.address) == len(replaced.data) == 129
    assert malicious.text().endswith(f"Mail Address:{'a' * 128}…")
    assert replaced.text().endswith(f"data: {'a' * 128}…")


FORGERIES = [b"x\r\n<2>%ASA-2-108003: forged", b"x\n<2>%ASA-", b"\x1b]0;x\x07", b"\x9b31m", "\u2028\u0085".encode()]


@pytest.mark.parametrize("octets", FORGERIES)
def test_no_peer_forges_a_line(octets: bytes) -> None:
    text = octets.decode("latin-1")
    records = [
        syslog.MaliciousPattern(CLIENT, SERVER, octets),
        syslog.StringReplaced(CLIENT, SERVER, octets),
        syslog.EsmtpReceived(ActionClass.PARAMETER, Message.REQUEST, CLIENT, SERVER, text),
        syslog.EngineFault(text, text, text, text),
    ]
    for record in records:
        assert syslog.render(record, device_id=text, facility=20).replace("…", "").isprintable()
        assert syslog.render(record).isascii()


def field_values(kind: type) -> st.SearchStrategy:
    """Values of a field of type `kind`."""
    if issubclass(kind, enum.Enum):
        return st.sampled_from(list(kind))
    return {
        bool: st.booleans(),
        int: st.integers(0, 2**64 - 1),
        str: st.text(max_size=300),
        bytes: st.binary(max_size=300),
        IPv4Address: st.ip_addresses(v=4),
        Endpoint: st.builds(Endpoint, st.text(max_size=20), st.ip_addresses(v=4), st.integers(0, 0xFFFF)),
    }[kind]


def records() -> st.SearchStrategy[Record]:
    """Any record at all."""
    return st.sampled_from(list(syslog.CATALOGUE.values())).flatmap(
        lambda kind: st.builds(
            kind, **{each.name: field_values(get_type_hints(kind)[each.name]) for each in fields(kind)}
        )
    )


@given(records())
def test_any_record_is_one_printable_line_and_survives_json(record: Record) -> None:
    line = syslog.render(record, facility=20)
    assert line.replace("…", "").isascii()
    assert line.isprintable()
    assert syslog.from_message(json.loads(json.dumps(syslog.to_message(record)))) == record


GOOD = syslog.to_message(SENTENCES[2][0])


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "302013",
        {},
        {"id": 302013},
        {"id": 999999},
        {"id": "302013"},
        {"id": True},
        {"id": [302013]},
        GOOD | {"more": 1},
        {key: value for key, value in GOOD.items() if key != "source"},
        GOOD | {"source": {}},
        GOOD | {"source": ["outside", "203.0.113.10", 25]},
        GOOD | {"source": GOOD["source"] | {"port": "25"}},
        GOOD | {"source": GOOD["source"] | {"address": "2001:db8::1"}},
        GOOD | {"source": GOOD["source"] | {"address": 3405803786}},
        GOOD | {"source": GOOD["source"] | {"interface": None}},
        GOOD | {"further_info": 1},
        GOOD | {"action": "Formatted"},
        GOOD | {"action": ["Dropped"]},
        {"id": 108003, "source": GOOD["source"], "destination": GOOD["destination"], "address": "\u0100"},
        {"id": 900003, "count": True},
        {"id": 900003, "count": 1.0},
        {"id": 900003, "count": 2**64},
    ],
    ids=repr,
)
def test_what_is_no_record_is_refused(message: object) -> None:
    with pytest.raises(syslog.MessageError):
        syslog.from_message(message)


def test_the_client_sends_requests() -> None:
    assert Message.of(Side.CLIENT) is Message.REQUEST
    assert Message.of(Side.SERVER) is Message.RESPONSE


def test_an_engine_fault_names_places_and_never_the_message() -> None:
    def fail() -> None:
        raise ValueError("AUTH PLAIN c2VjcmV0")

    def fault() -> syslog.EngineFault:
        with pytest.raises(ValueError, match="AUTH") as caught:
            fail()
        return syslog.EngineFault.of("outside:203.0.113.10/40000", caught.value)

    one, two = fault(), fault()
    assert one.error == "ValueError"
    assert one.trace.startswith("test_catalogue.py:")
    assert "c2VjcmV0" not in one.text()
    assert one.digest == two.digest


def test_an_engine_fault_names_the_innermost_places_alone() -> None:
    def fall(depth: int) -> None:
        if depth == 0:
            raise ValueError
        fall(depth - 1)

    with pytest.raises(ValueError) as caught:  # noqa: PT011  # it has no message
        fall(100)
    fault = syslog.EngineFault.of("outside:203.0.113.10/40000", caught.value)
    assert fault.trace.split(" < ") == [fault.trace.split(" < ")[0], *[fault.trace.split(" < ")[1]] * 7]
