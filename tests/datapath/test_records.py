"""The records of whole sessions, word for word (asa.md §4.2, §4.6); and what no record ever says."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from appliance import syslog
from appliance.datapath.effects import Emit
from appliance.flow import Side
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import Deed, InspectMap, MailRelay, Match, Reaction
from appliance.syslog import Record, to_message
from tests.criteria import CLOSE, DATA, LOG, MAIL, MASK, RCPT, RESET, message, under
from tests.playbook import HELLO, Sent, accepted, client, payload, server
from tests.wire import CLIENT, SERVER, Wire, count, engine

ENDS = "from outside:203.0.113.10/40000 to inside:192.0.2.25/25"
BACK = "from inside:192.0.2.25/25 to outside:203.0.113.10/40000"
ENDED = "%ASA-4-507003: tcp flow {} terminated by inspection engine, reason - {}."


def records(script: tuple[Sent, ...], inspect_map: InspectMap = DEFAULT_MAP) -> list[Record]:
    """What a session under `inspect_map` leaves in the log, each utterance a packet."""
    wire = Wire(engine(inspect_map=inspect_map)).open()
    wire.talk([(each.side, each.octets) for each in script])
    assert count(wire.datapath, "exceptions") == 0
    return [each.record for each in wire.effects if isinstance(each, Emit)]


def lines(script: tuple[Sent, ...], inspect_map: InspectMap = DEFAULT_MAP) -> list[str]:
    return [syslog.render(each) for each in records(script, inspect_map)]


def closed(ends: str = ENDS) -> str:
    return ENDED.format(ends, "inspector disconnected, dropped packet")


class TestClassification:
    def test_the_default_maps_classes_are_numbered_as_on_a_real_box(self) -> None:
        long = message(b"a: " + b"b" * 996 + b"\r\n")
        assert lines(long) == [
            "%ASA-4-108004: ESMTP Classification: Dropped connection for ESMTP Request "
            f"{ENDS}; matched Class 4: header line length gt 998",
            closed(),
        ]
        many = (*HELLO, *accepted(MAIL), *accepted(RCPT) * 101)
        assert lines(many)[0].endswith("; matched Class 2: cmd RCPT count gt 100")
        body = message(b"a: b\r\n", b"c" * 999 + b"\r\n")
        assert lines(body) == [
            "%ASA-6-108005: ESMTP Classification: Received ESMTP Request "
            f"{ENDS}; matched Class 3: body line length gt 998"
        ]

    def test_reset(self) -> None:
        strict = under(Match("cmd-verb", Reaction(Deed.RESET, log=True), words=("VRFY",)))
        assert lines((*HELLO, client(b"VRFY a\r\n")), strict) == [
            f"%ASA-4-108004: ESMTP Classification: Reset connection for ESMTP Request {ENDS}; "
            "matched Class 1: cmd verb VRFY",
            ENDED.format(ENDS, "inspector drop reset"),
        ]

    def test_without_log_only_the_flow_s_end_is_told(self) -> None:
        assert lines((*HELLO, client(b"VRFY a\r\n")), under(Match("cmd-verb", RESET, words=("VRFY",)))) == [
            ENDED.format(ENDS, "inspector drop reset")
        ]

    def test_mask(self) -> None:
        masking = under(
            Match("cmd-verb", MASK, words=("VRFY",)), Match("ehlo-reply-parameter", MASK, words=("pipelining",))
        )
        assert lines((*HELLO, client(b"VRFY a\r\n")), masking) == [
            f"%ASA-4-108004: ESMTP Classification: Masked header flags for ESMTP Response {BACK}; "
            "matched Class 2: ehlo-reply-parameter pipelining",
            f"%ASA-4-108004: ESMTP Classification: Masked header flags for ESMTP Request {ENDS}; "
            "matched Class 1: cmd verb VRFY",
        ]
        quiet = under(Match("cmd-verb", Reaction(Deed.MASK), words=("VRFY",)))
        assert lines((*HELLO, client(b"VRFY a\r\n")), quiet) == []

    def test_what_the_server_did_is_a_response(self) -> None:
        refused = (*HELLO, *accepted(MAIL), client(RCPT), server(b"550 no\r\n"), client(RCPT), server(b"550 no\r\n"))
        assert lines(refused, under(Match("invalid-recipients-count", CLOSE, limit=1))) == [
            f"%ASA-4-108004: ESMTP Classification: Dropped connection for ESMTP Response {BACK}; "
            "matched Class 1: invalid-recipients count gt 1",
            closed(BACK),
        ]


class TestParameters:
    def test_mail_relay(self) -> None:
        script = (*HELLO, *accepted(MAIL, RCPT))
        assert lines(script, under(mail_relay=MailRelay("example.org", LOG))) == [
            f"%ASA-6-108005: ESMTP Parameter: Received ESMTP Request {ENDS}; mail-relay: No Mail Relay allowed"
        ]
        assert lines(script, under(mail_relay=MailRelay("example.org", CLOSE)))[:1] == [
            f"%ASA-4-108004: ESMTP Parameter: Dropped connection for ESMTP Request {ENDS}; "
            "mail-relay: No Mail Relay allowed"
        ]

    def test_special_character(self) -> None:
        assert lines((*HELLO, client(b"RCPT TO:<a`b@c>\r\n")), under(special_character=CLOSE)) == [
            f"%ASA-4-108004: ESMTP Parameter: Dropped connection for ESMTP Request {ENDS}; "
            "special-character: Special Character in mail address not allowed",
            closed(),
        ]

    @pytest.mark.parametrize("log", [True, False])
    def test_allow_tls(self, log: bool) -> None:
        script = (
            *(server(b"220 mx\r\n"), client(b"EHLO a\r\n"), server(b"250-mx\r\n250 STARTTLS\r\n")),
            *(client(b"STARTTLS\r\n"), server(b"220 go\r\n"), payload(b"\x16\x03\x01"), server(b"\x16\x03\x03")),
        )
        said = "TLS started on ESMTP session between client outside:203.0.113.10/40000 and server inside:192.0.2.25/25"
        assert lines(script, under(allow_tls=True, allow_tls_log=log)) == [f"%ASA-6-108007: {said}"] * log

    def test_rules_of_our_own(self) -> None:
        for script, said in (
            ((*HELLO, client(b"DATA\r\nx")), f"Request {ENDS}; early-data: DATA"),
            (
                (*HELLO, client(b"NOOP\r\n"), server(b"354 x\r\n")),
                f"Response {BACK}; server-transition: 354 without DATA",
            ),
            (
                (*HELLO, *DATA_BEGUN, payload(b"a\n.\r\n")),
                f"Request {ENDS}; smuggling-guard: look-alike of the end of data",
            ),
        ):
            assert lines(script)[0] == f"%ASA-4-108004: ESMTP Parameter: Dropped connection for ESMTP {said}"


DATA_BEGUN = (*accepted(MAIL, RCPT), *DATA)


class TestAddresses:
    def test_replaced(self) -> None:
        assert lines((*HELLO, client(b"MAIL FROM:<<a@b>>\r\n"))) == [
            "%ASA-2-108002: SMTP replaced string: out 203.0.113.10 in 192.0.2.25 data: MAIL FROM:<<a@b>>"
        ]

    def test_a_pipe(self) -> None:
        """Told as far as the pipe: what follows may not have come yet, and a record does not depend on the cut."""
        assert lines((*HELLO, client(b"RCPT TO:<a|prog@b>\r\n"))) == [
            "%ASA-2-108003: Terminating ESMTP connection; malicious pattern detected in the mail address "
            f"{ENDS}. Mail Address:<a|"
        ]


def test_a_message_bigger_than_declared() -> None:
    declared = (*HELLO, *accepted(b"MAIL FROM:<a@b> SIZE=10\r\n", RCPT), *DATA)
    assert lines((*declared, payload(b"a: b\r\n\r\n12\r\n.\r\n"))) == [
        f"%ASA-7-108006: Detected ESMTP size violation {ENDS}; declared size is: 10, actual size is 12"
    ]
    assert lines((*declared, payload(b"a: b\r\n\r\n\r\n.\r\n"))) == []


#: What a client proves itself with, as it crosses the wire.
SECRETS = [b"s3cr3t-pass", b64encode(b"\0user\0s3cr3t-pass"), b64encode(b"s3cr3t-pass")]

#: Ways to say one: `%b` is where it stands.
EXCHANGES: list[tuple[Sent, ...]] = [
    (client(b"AUTH PLAIN %b\r\n"), server(b"235 ok\r\n")),
    (client(b"AUTH PLAIN\r\n"), server(b"334 \r\n"), payload(b"%b\r\n"), server(b"535 no\r\n")),
    (client(b"AUTH LOGIN\r\n"), server(b"334 a\r\n"), payload(b"%b\r\n"), server(b"334 b\r\n"), payload(b"%b\r\n")),
    (client(b"AUTH PLAIN\r\n%b\r\n"),),
    (client(b"AUTH LOGIN\r\n"), server(b"334 \r\n"), payload(b"%b\r\n%b\r\n")),
    (client(b"AUTH LOGIN\r\n"), server(b"334 \r\n"), payload(b"%b\nx\r\n")),
    (client(b"AUTH LOGIN\r\n"), server(b"334 \r\n"), payload(b"%b" + b"x" * 13_000)),
    (client(b"AUTH LOGIN\r\n"), server(b"334 \r\n"), payload(b"%b"), server(b"421 bye\r\n")),
    (client(b"AUTH PLAIN %b" + b"x" * 600 + b"\r\n"),),
    (client(b"AUTH PLAIN %b\n"),),
    (client(b"AUTH PLAIN <|%b>\x00\r\n"), server(b"501 no\r\n")),
    (client(b"AUTH\tPLAIN %b\r\n"), server(b"500 no\r\n")),
    (client(b"XAUTH %b\r\n"), server(b"500 no\r\n")),
    (client(b"DATA\r\n%b"),),
    (client(b"STARTTLS\r\n%b"),),
    (client(b"BDAT 5\r\n%b"),),
    (client(b"AUTH PLAIN\r\n"), server(b"354 go\r\n"), payload(b"%b\r\n")),
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("masked", [False, True])
def test_no_credential_is_in_anything_emitted(exchange: tuple[Sent, ...], secret: bytes, masked: bool) -> None:
    """Not in a record's line, not in what crosses between processes, not in any effect but the packet itself."""
    everything = [Match("cmd-verb", MASK if masked else LOG, words=("AUTH", "DATA"))]
    everything += [Match("cmd-line-length", LOG, limit=5, negated=negated) for negated in (False, True)]
    inspect_map = under(*everything, special_character=LOG, mail_relay=MailRelay("example.org", LOG))
    said = tuple(Sent(each.side, each.octets.replace(b"%b", secret), each.commands) for each in exchange)
    script = (*HELLO, *said, client(b"NOOP\r\n"), server(b"250 ok\r\n"))
    for each in (script, tuple(one for sent in script for one in octetwise(sent))):
        emitted = records(each, inspect_map)
        text = "".join(syslog.render(record) + repr(record) + json.dumps(to_message(record)) for record in emitted)
        assert secret.decode() not in text
        for at in range(len(secret) - 8):
            assert secret[at : at + 8].decode() not in text


def octetwise(sent: Sent) -> list[Sent]:
    """Octet by octet, but for the first five of what the client says: no verb is typed by hand."""
    first = 5 if sent.side is Side.CLIENT else 1
    cuts = [sent.octets[:first], *(sent.octets[at : at + 1] for at in range(first, min(len(sent.octets), 700)))]
    return [Sent(sent.side, each) for each in [*cuts, sent.octets[700:]] if each]


def test_early_data_is_in_no_packet_that_went_on() -> None:
    wire = Wire(engine()).open()
    wire.talk([(each.side, each.octets) for each in HELLO])
    wire.send(CLIENT, 16, b"AUTH PLAIN\r\n" + SECRETS[1])
    assert wire.went(wire.handle) is None
    assert wire.got(CLIENT) == b"EHLO a.example\r\n"
    assert wire.got(SERVER).endswith(b"PIPELINING\r\n")
