"""Captures through the firewall, offline: what is told, what is written."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.config.config import Config, Interface, ServicePolicy
from appliance.nat.static import Static
from appliance.policy.acl import ANY, AccessList, Ace, Ports
from appliance.policy.maps import ClassMap, ExemptEsmtp, InspectEsmtp, MatchAccessList, MatchAny, PolicyClass, PolicyMap
from appliance.replay.capture import Writer, frames
from appliance.replay.replay import replay
from appliance.replay.report import ConversationReport, Entry, Kind, Report
from appliance.syslog import ELLIPSIS, SHOWN
from appliance.tcp.segment import ACK, FIN, RST, SYN
from tests.wire import CLIENT, SECOND, SERVER, Wire, packet, segment

#: Where in a file, from its beginning to its end, and what is there then.
CHANGE = st.tuples(st.floats(0, 1), st.integers(0, 255))
CAPTURES = Path(__file__).parents[1] / "captures"
EHLO_REPLY = b"250-mail.example\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 OK\r\n"
SESSION = [
    (SERVER, b"220 mail.example 20\r\n"),
    (CLIENT, b"EHLO c\r\n"),
    (SERVER, EHLO_REPLY),
    (CLIENT, b"STARTTLS\r\n"),
    (SERVER, b"500 what\r\n"),
    (CLIENT, b"MAIL FROM:<a@b>\r\n"),
    (SERVER, b"250 ok\r\n"),
    (CLIENT, b"RCPT TO:<a@b>\r\n"),
    (SERVER, b"250 ok\r\n"),
    (CLIENT, b"DATA\r\n"),
    (SERVER, b"354 go\r\n"),
    (CLIENT, b"Subject: x\r\n\r\nhello\r\n"),
    (CLIENT, b".\r\nQUIT\r\n"),
    (SERVER, b"250 done\r\n221 bye\r\n"),
]


class Tape:
    """A capture in the making: what both sides send, as somebody before the firewall saw it."""

    def __init__(self, path: Path, wire: Wire | None = None, start: int = 1_000 * SECOND) -> None:
        self.path = path
        self.wire = wire or Wire(None)  # type: ignore[arg-type]  # it only makes packets
        self.time = start
        self.at = {CLIENT: 0, SERVER: 0}
        self.octets: list[tuple[int, bytes]] = []

    def put(self, octets: bytes, after: int = SECOND) -> Tape:
        self.time += after
        self.octets.append((self.time, octets))
        return self

    def open(self) -> Tape:
        wire = self.wire
        self.put(packet(wire.client, wire.server, wire.client_isn, 0, SYN))
        self.put(packet(wire.server, wire.client, wire.server_isn, wire.client_isn + 1, SYN | ACK))
        return self.put(wire.make(CLIENT))

    def say(self, lines: list[tuple[object, bytes]]) -> Tape:
        for side, octets in lines:
            self.wire.acked[side.peer] = self.at[side.peer]  # type: ignore[attr-defined,index]  # a Side
            self.put(self.wire.make(side, self.at[side], octets))  # type: ignore[arg-type,index]
            self.at[side] += len(octets)  # type: ignore[index]
        return self

    def close(self) -> Tape:
        for side in (CLIENT, SERVER):
            self.put(self.wire.make(side, self.at[side], flags=ACK | FIN))
        return self

    def save(self) -> Path:
        writer = Writer(self.path)
        for time, octets in self.octets:
            writer.write(time, octets)
        writer.close()
        return self.path


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    return Tape(tmp_path / "in.pcap")


def only(report: Report) -> ConversationReport:
    (conversation,) = report.conversations
    return conversation


class TestTranscript:
    def test_a_session_is_told_in_order(self, tape: Tape) -> None:
        told = only(replay([tape.open().say(SESSION).close().save()]))
        assert (told.client, told.server) == ("203.0.113.10/40000", "192.0.2.25/25")
        assert told.inspection == "inspection_default"
        assert told.started == 1_002 * SECOND
        assert told.packets == 18  # the SYN comes before it is one
        assert told.messages == (24,)
        assert told.masked == len("mail.example ") + len("STARTTLS") + len("OK") + len("STARTTLS")
        assert [(each.kind, each.sent, each.got) for each in told.entries] == [
            (Kind.REPLY, "220 mail.example 20", "220 *************20"),
            (Kind.COMMAND, "EHLO c", None),
            (Kind.REPLY, "250-mail.example", None),
            (Kind.REPLY, "250-PIPELINING", None),
            (Kind.REPLY, "250-STARTTLS", "250-XXXXXXXA"),
            (Kind.REPLY, "250 OK", "250 XB"),
            (Kind.COMMAND, "STARTTLS", "XXXXXXXX"),
            (Kind.REPLY, "500 what", None),
            (Kind.COMMAND, "MAIL FROM:<a@b>", None),
            (Kind.REPLY, "250 ok", None),
            (Kind.COMMAND, "RCPT TO:<a@b>", None),
            (Kind.REPLY, "250 ok", None),
            (Kind.COMMAND, "DATA", None),
            (Kind.REPLY, "354 go", None),
            (Kind.MESSAGE, "", None),
            (Kind.COMMAND, "QUIT", None),
            (Kind.REPLY, "250 done", None),
            (Kind.REPLY, "221 bye", None),
        ]

    def test_octets_inspected_are_octets_released(self, tape: Tape) -> None:
        report = replay([tape.open().say(SESSION).close().save()])
        total = sum(len(octets) for _, octets in SESSION)
        assert report.engine["octets_inspected"] == report.engine["octets_released"] == total

    def test_credentials_are_not_told(self, tape: Tape) -> None:
        tape.open().say(SESSION[:3])
        tape.say([(CLIENT, b"AUTH PLAIN c2VjcmV0\r\n"), (SERVER, b"535 no\r\n"), (CLIENT, b"AUTH LOGIN\r\n")])
        tape.say([(SERVER, b"334 x\r\n"), (CLIENT, b"c2Vj"), (CLIENT, b"cmV0\r\n"), (SERVER, b"235 ok\r\n")])
        told = only(replay([tape.save()]))
        assert [each.sent for each in told.entries[6:]] == [
            "AUTH PLAIN (credentials)",
            "535 no",
            "AUTH LOGIN",
            "334 x",
            "(credentials)",
            "235 ok",
        ]

    def test_why_a_connection_was_closed(self, tape: Tape) -> None:
        tape.open().say(SESSION[:3]).say([(CLIENT, b"X" * 600), (CLIENT, b"\r\n")])
        report = replay([tape.save()])
        assert only(report).entries[-1] == Entry(Kind.CLOSED, "matched Class 1: cmd line length gt 512")
        assert [each[:17] for each in report.records] == ["%ASA-4-108004: ES", "%ASA-4-507003: tc"]
        assert report.dropped == 2

    def test_wire_octets_are_printable(self, tape: Tape) -> None:
        told = only(replay([tape.open().say([(SERVER, b"220 a\x1b[2J\r\n"), (CLIENT, b"NOOP " + b"x" * 300)]).save()]))
        assert told.entries[0].sent == "220 a\\033[2J"
        tape.say([(CLIENT, b"\r\n")])
        told = only(replay([tape.save()]))
        assert told.entries[-1].sent == "NOOP " + "x" * (SHOWN - 5) + ELLIPSIS


class TestWriting:
    def test_what_would_have_gone_on_is_written(self, tape: Tape, tmp_path: Path) -> None:
        out = tmp_path / "out.pcap"
        report = replay([tape.open().say(SESSION).close().save()], out=out)
        went = [segment(frame.packet or b"") for frame in frames(out)]
        assert len(went) == len(tape.octets) == report.written == report.passed
        assert all(each.intact() for each in went)
        assert b"".join(each.payload for each in went if each.key[8:10] == b"\0\x19").startswith(
            b"220 *************20\r\n250-mail.example\r\n250-PIPELINING\r\n250-XXXXXXXA\r\n250 XB\r\n"
        )
        assert [frame.time for frame in frames(out)] == [time for time, _ in tape.octets]

    def test_checksums_are_put_right(self, tape: Tape, tmp_path: Path) -> None:
        tape.open().say(SESSION[:1])
        time, octets = tape.octets[-1]
        tape.octets[-1] = time, octets[:10] + b"\0\0" + octets[12:36] + b"\x12\x34" + octets[38:]
        report = replay([tape.save()], out=tmp_path / "out")
        assert (report.wrong_checksums, report.dropped) == (1, 0)
        assert all(segment(frame.packet or b"").intact() for frame in frames(tmp_path / "out"))

    def test_or_dropped_if_asked_for(self, tape: Tape, tmp_path: Path) -> None:
        tape.open().say(SESSION[:1])
        time, octets = tape.octets[-1]
        tape.octets[-1] = time, octets[:-3] + b"?" + octets[-2:]
        report = replay([tape.save()], verify_checksums=True, out=tmp_path / "out")
        assert (report.wrong_checksums, report.dropped, report.written) == (1, 1, 3)
        assert only(report).entries == ()

    def test_held_packets_are_written_when_released(self, tape: Tape, tmp_path: Path) -> None:
        tape.open().say(SESSION[:3])
        first, second = tape.octets[-1][1], tape.octets[-3][1]
        tape.octets[-3], tape.octets[-1] = (tape.octets[-3][0], first), (tape.octets[-1][0], second)
        out = tmp_path / "out"
        replay([tape.save()], out=out)
        assert [segment(each.packet or b"").payload[:4] for each in frames(out)][3:] == [b"EHLO", b"220 ", b"250-"]
        assert [each.time for each in frames(out)][3:] == [1_005 * SECOND, 1_006 * SECOND, 1_006 * SECOND]

    def test_an_unfinished_held_line_goes_when_the_clock_says(self, tape: Tape, tmp_path: Path) -> None:
        tape.open().say([*SESSION[:2], (SERVER, b"250-mail\r\n250-STAR"), (CLIENT, b"")])
        replay([tape.save()], out=tmp_path / "out")
        last = list(frames(tmp_path / "out"))[-2]
        assert last.time == 1_006 * SECOND + SECOND // 5
        assert segment(last.packet or b"").payload == b"250-mail\r\n250-XXXX"

    def test_what_waited_in_vain_is_dropped(self, tape: Tape) -> None:
        tape.open().put(tape.wire.make(CLIENT, 5, b"late"))
        report = replay([tape.save()])
        assert (report.dropped, report.engine["expired"]) == (1, 1)

    def test_time_does_not_go_back(self, tape: Tape, tmp_path: Path) -> None:
        tape.open().say(SESSION[:1])
        tape.octets[-1] = 5, tape.octets[-1][1]
        replay([tape.save()], out=tmp_path / "out")
        assert [each.time for each in frames(tmp_path / "out")][-1] == 1_003 * SECOND

    def test_a_gap_of_years_costs_nothing(self, tape: Tape) -> None:
        tape.open().put(tape.wire.make(SERVER, 0, b"220 x\r\n"), after=100 * 365 * 86_400 * SECOND)
        assert replay([tape.save()]).packets == 4


class TestSelection:
    def test_other_ports_pass_unread(self, tmp_path: Path) -> None:
        tape = Tape(tmp_path / "a", Wire(None, server=("192.0.2.25", 587)))  # type: ignore[arg-type]
        path = tape.open().say(SESSION).save()
        assert replay([path]).conversations == ()
        assert replay([path]).passed == 17
        assert only(replay([path], port=587)).inspection is not None

    def test_a_connection_without_its_beginning_is_told_and_not_inspected(self, tape: Tape) -> None:
        report = replay([tape.say(SESSION).save()])
        told = only(report)
        assert (told.inspection, told.why, told.entries) == (None, "its beginning is not in the capture", ())
        assert report.passed == 0

    def test_other_packets_pass_or_are_counted(self, tape: Tape) -> None:
        tape.put(packet(tape.wire.client, tape.wire.server)[:9] + b"\x11" + bytes(40))
        tape.put(b"\x60" + bytes(60))
        report = replay([tape.save()])
        assert (report.packets, report.passed, report.ignored) == (2, 1, 1)

    def test_fragments_and_truncated_copies_of_inspected_hosts_are_dropped(self, tape: Tape) -> None:
        tape.open()
        tape.put(tape.wire.make(CLIENT, 0, b"EHLO c\r\n", fragment=0x2000))
        tape.put(tape.wire.make(CLIENT, 0, b"EHLO c\r\n")[:-2])
        report = replay([tape.save()])
        assert (report.engine["malformed"], report.engine["truncated"], report.dropped) == (1, 1, 2)

    def test_a_tuple_used_twice_is_two_conversations(self, tape: Tape) -> None:
        tape.open().say(SESSION).close()
        tape.wire.client_isn, tape.wire.server_isn, tape.at = 5, 6, {CLIENT: 0, SERVER: 0}
        tape.wire.acked = {CLIENT: 0, SERVER: 0}
        tape.open().say(SESSION[:2])
        report = replay([tape.save()])
        assert [len(each.entries) for each in report.conversations] == [18, 2]

    def test_files_are_one_after_the_other(self, tape: Tape, tmp_path: Path) -> None:
        tape.open().say(SESSION[:7])
        first = tape.save()
        rest = Tape(tmp_path / "rest", tape.wire, tape.time)
        rest.at = tape.at
        told = only(replay([first, rest.say(SESSION[7:]).save()]))
        assert told.messages == (24,)

    def test_a_file_that_breaks_off_is_told_with_its_place(self, tape: Tape, tmp_path: Path) -> None:
        path = tape.open().say(SESSION).save()
        path.write_bytes(path.read_bytes()[:-5])
        report = replay([path, tmp_path / "missing"])
        assert len(only(report).entries) == 16
        assert report.faults[0].startswith(f"{path}: octet ")
        assert report.faults[1].startswith(f"{tmp_path / 'missing'}: octet 0: No such file")


def config(deny: str = "192.0.2.99", exempt: bool = False) -> Config:
    smtp = Ports("eq", 25, 25)
    entries = (
        Ace(False, "tcp", ANY, None, IPv4Network(deny), smtp, 1),
        Ace(True, "tcp", ANY, None, IPv4Network("192.0.2.0/24"), smtp, 2),
    )
    classes = (PolicyClass("mail", InspectEsmtp()),)
    if exempt:
        classes = (*classes, PolicyClass("rest", ExemptEsmtp()))
    return Config(
        interfaces=(
            Interface("Ethernet0/0", nameif="outside", security_level=0, address=IPv4Interface("203.0.113.1/24")),
            Interface("Ethernet0/1", nameif="inside", security_level=100, address=IPv4Interface("192.0.2.1/24")),
        ),
        access_lists=(AccessList("mail", entries),),
        statics=(Static("inside", "outside", IPv4Address("203.0.113.125"), IPv4Address("192.0.2.25")),),
        class_maps=(ClassMap("mail", MatchAccessList("mail")), ClassMap("rest", MatchAny())),
        policy_maps=(PolicyMap("global_policy", classes),),
        service_policies=(ServicePolicy("global_policy"),),
    )


class TestConfiguration:
    def test_its_classes_decide(self, tape: Tape) -> None:
        path = tape.open().say(SESSION).save()
        assert only(replay([path], config())).inspection == "mail"
        assert replay([path], config(deny="192.0.2.25")).conversations == ()

    @pytest.mark.parametrize("named", ["192.0.2.25", "203.0.113.125"])
    @pytest.mark.parametrize("captured", ["192.0.2.25", "203.0.113.125"])
    def test_a_mapped_address_is_the_real_host(self, tmp_path: Path, named: str, captured: str) -> None:
        tape = Tape(tmp_path / "a", Wire(None, server=(captured, 25)))  # type: ignore[arg-type]
        path = tape.open().say(SESSION).save()
        assert only(replay([path], config())).inspection == "mail"
        assert replay([path], config(deny=named)).conversations == ()

    def test_an_exempt_connection_is_told(self, tape: Tape) -> None:
        told = only(replay([tape.open().say(SESSION).save()], config(exempt=True)))
        assert (told.inspection, told.why) == (None, "exempt by class rest")

    def test_records_name_its_interfaces(self, tape: Tape) -> None:
        path = tape.open().say([*SESSION[:3], (CLIENT, b"X" * 600)]).save()
        (record, _) = replay([path], config()).records
        assert "from outside:203.0.113.10/40000 to inside:192.0.2.25/25" in record


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap")), ids=lambda path: path.stem)
class TestCaptures:
    def test_replays_without_a_fault(self, path: Path, tmp_path: Path) -> None:
        report = replay([path], out=tmp_path / "out")
        assert "exceptions" not in report.engine
        assert report.faults == ()
        assert report.passed + report.dropped + report.ignored == report.packets
        counted = report.engine
        released = counted.get("octets_released", 0) + counted.get("octets_refused", 0)
        assert counted["octets_inspected"] == released
        assert all(each.inspection for each in report.conversations)

    def test_what_went_on_goes_on_again(self, path: Path, tmp_path: Path) -> None:
        """What the firewall let through, it lets through unchanged, but for what it would mask once more."""
        first = replay([path], out=tmp_path / "one")
        second = replay([tmp_path / "one"], out=tmp_path / "two", verify_checksums=True)
        assert (second.wrong_checksums, second.packets) == (0, first.passed)


@given(path=st.sampled_from(sorted(CAPTURES.glob("*.pcap"))), changes=st.lists(CHANGE, min_size=1, max_size=20))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_octets_of_a_capture_changed(tmp_path: Path, path: Path, changes: list[tuple[float, int]]) -> None:
    octets = bytearray(path.read_bytes())
    for place, octet in changes:
        octets[24 + int(place * (len(octets) - 25))] = octet
    (tmp_path / "changed").write_bytes(octets)
    report = replay([tmp_path / "changed"], out=tmp_path / "out")
    counted = report.engine
    assert "exceptions" not in counted
    assert report.passed + report.dropped + report.ignored == report.packets
    released = counted.get("octets_released", 0) + counted.get("octets_refused", 0)
    assert counted.get("octets_inspected", 0) == released


def test_a_reset_is_seen(tape: Tape) -> None:
    tape.open().say(SESSION[:2]).put(tape.wire.make(CLIENT, 8, flags=RST))
    assert replay([tape.save()]).passed == 6
