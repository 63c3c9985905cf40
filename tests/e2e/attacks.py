"""What an adversary tries, to get octets past whoever watches.

Each attack opens a connection by hand, says EHLO, and then tries to make the server read a verb that inspection would
have X-ed: the firewall is to see one thing and the server another. What the server may have read of it is the
attack's own answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scapy.layers.inet import IP, TCP, IPOption_RR, fragment

from tests.e2e.adversary import EHLO, Adversary

#: What the server must never read, however it comes.
FORBIDDEN = (b"STARTTLS", b"XEXCH50")

#: Options by their names in scapy.
MD5 = (19, b"\xab" * 16)  # a server without a key for us drops such a segment, whatever else it is
MP_CAPABLE = (30, b"\x01\x81" + b"\x11" * 8)
FAST_OPEN = (34, b"")

Attack = Callable[[Adversary], list[bytes]]
#: Every attack by its name. It answers with what the server may have read behind EHLO: one of these streams.
ATTACKS: dict[str, Attack] = {}


def _attack(function: Attack) -> Attack:
    ATTACKS[function.__name__] = function
    return function


def _smuggle(it: Adversary, verb: bytes, **ignored: Any) -> list[bytes]:
    """A harmless line that the server does not take, and the verb in its place."""
    harmless = b"NOOP " + b"x" * (len(verb) - 7) + b"\r\n"
    it.open()
    it.at(0, harmless, **ignored)
    it.listen(reply=False)
    it.at(0, verb)
    it.listen(reply=False)
    return [harmless]


@_attack
def a_retransmission_that_says_starttls(it: Adversary) -> list[bytes]:
    return _smuggle(it, b"STARTTLS\r\n", old=True)


@_attack
def a_retransmission_that_says_an_unsupported_verb(it: Adversary) -> list[bytes]:
    return _smuggle(it, b"XEXCH50 1 2\r\n", old=True)


@_attack
def a_retransmission_behind_one_with_an_md5_option(it: Adversary) -> list[bytes]:
    return _smuggle(it, b"STARTTLS\r\n", options=(MD5,))


@_attack
def a_retransmission_behind_one_that_acknowledges_the_future(it: Adversary) -> list[bytes]:
    return [*_smuggle(it, b"STARTTLS\r\n", ack=100_000), b"XXXXXXXX\r\n"]


@_attack
def a_retransmission_that_merges_and_goes_on(it: Adversary) -> list[bytes]:
    it.open()
    it.at(0, b"NOOP\r\n", old=True)
    it.listen(reply=False)
    it.at(0, b"EVIL\r\nSTARTTLS\r\n")
    it.listen(reply=False)
    return [b"NOOP\r\nXXXXXXXX\r\n"]


@_attack
def low_ttl(it: Adversary) -> list[bytes]:
    """The harmless copy dies in the firewall, the next one at the server's door."""
    it.open()
    for ttl in (1, 2):
        it.at(0, b"NOOP xxx\r\n" if ttl == 1 else b"STARTTLS\r\n", ttl=ttl)
    it.listen(reply=False)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


@_attack
def wrong_checksum(it: Adversary) -> list[bytes]:
    it.open()
    for octets in (b"NOOP xxx\r\n", b"STARTTLS\r\n"):
        packet = it.segment(it.next, octets)
        packet[TCP].chksum = 0x1234
        it.put(packet)
    it.listen(reply=False)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


@_attack
def overlapping_segments_of_two_minds(it: Adversary) -> list[bytes]:
    it.open()
    it.at(5, b"xxx\r\n")  # waits
    it.at(4, b"TTLS\r\n")  # another mind, one octet earlier
    it.at(2, b"OP xxx\r\n")
    it.at(0, b"NO")
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"NOOP xxx\r\n", b"XXXXXXXX\r\n", b"XXXX xxx\r\n", b"XXOP xxx\r\n"]


@_attack
def one_octet_each_backwards(it: Adversary) -> list[bytes]:
    it.open()
    verb = b"STARTTLS\r\n"
    it.put(*(it.segment(it.next + at, verb[at : at + 1]) for at in reversed(range(len(verb)))))
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


@_attack
def an_octet_before_the_stream_goes_on(it: Adversary) -> list[bytes]:
    it.open()
    it.at(-3, b"X\r\nSTARTTLS\r\n")
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


@_attack
def urgent(it: Adversary) -> list[bytes]:
    """An urgent octet is taken out of the stream by most servers: STARTyTLS would be STARTTLS."""
    it.open()
    it.at(0, b"STARTyTLS\r\n", flags="PAU", urgent=6)
    it.listen(reply=False)
    return [b"XXXXXXXXX\r\n"]


@_attack
def an_urgent_pointer_alone(it: Adversary) -> list[bytes]:
    it.open()
    it.at(0, b"NOOP\r\n", flags="PAU", urgent=60_000)
    it.listen(reply=False)
    return [b"NOOP\r\n"]


def _fragments(it: Adversary, size: int) -> list[bytes]:
    it.open()
    it.put(*fragment(it.segment(it.next, b"STARTTLS\r\n"), fragsize=size))
    it.listen(reply=False)
    return [b"", b"XXXXXXXX\r\n"]


@_attack
def tiny_fragments(it: Adversary) -> list[bytes]:
    return _fragments(it, 8)


@_attack
def fragments_behind_the_header(it: Adversary) -> list[bytes]:
    return _fragments(it, 32)


@_attack
def a_reset_out_of_the_window_and_more(it: Adversary) -> list[bytes]:
    it.open()
    for offset in (1, 1_000, 500_000, -1_000):
        it.at(offset, b"", flags="R")
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


@_attack
def a_reset_the_server_ignores_and_more(it: Adversary) -> list[bytes]:
    """Exact, but with an option the server drops it for: whoever believes it stops looking."""
    it.open()
    it.at(0, b"", flags="RA", options=(MD5,))
    it.listen(reply=False)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"", b"XXXXXXXX\r\n"]


@_attack
def a_retransmission_behind_a_reset_the_server_ignores(it: Adversary) -> list[bytes]:
    """What went on before it never arrived: the server still waits for it, and whoever let go of it may not know it."""
    it.open()
    it.at(0, b"NOOP ", old=True)
    it.at(5, b"x\r\n")
    it.at(8, b"", flags="RA", options=(MD5,))
    it.listen(reply=False)
    for octets in (b"NOOP ", b"EVIL "):
        it.at(0, octets)
    it.listen(reply=False)
    return [b""]


@_attack
def forged_reply(it: Adversary) -> list[bytes]:
    """The client writes the 354 itself, in the server's name, and is in a message its server knows nothing of."""
    return _forged(it, b"DATA\r\n", b"354 \r\n")


@_attack
def forged_reply_to_starttls(it: Adversary) -> list[bytes]:
    return _forged(it, b"NOOP\r\n", b"220 \r\n")


def _forged(it: Adversary, command: bytes, reply: bytes) -> list[bytes]:
    it.open()
    it.say(command)
    it.reply(reply)
    it.listen(reply=False)
    it.say(b"STARTTLS\r\n")
    it.listen(reply=False)
    return [command + b"XXXXXXXX\r\n"]


#: What only the interface gives away, which no capture has.
OF_INTERFACES = {"forged_reply", "forged_reply_to_starttls"}


@_attack
def a_reset_with_payload(it: Adversary) -> list[bytes]:
    it.open()
    it.at(0, b"STARTTLS\r\n", flags="RA")
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b""]


@_attack
def data_behind_the_fin(it: Adversary) -> list[bytes]:
    it.open()
    it.at(0, b"NOOP\r\n", flags="FPA")
    it.at(6, b"STARTTLS\r\n")
    it.at(7, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"NOOP\r\n"]


@_attack
def data_behind_a_fin_the_server_ignores(it: Adversary) -> list[bytes]:
    it.open()
    it.at(0, b"", flags="FA", old=True)
    it.listen(reply=False)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"", b"XXXXXXXX\r\n"]


@_attack
def a_handshake_split_in_two(it: Adversary) -> list[bytes]:
    """The client answers the SYN-ACK with one of its own, and speaks in it."""
    it.handshake()
    it.put(it.segment(-1, b"", "SA"), it.segment(-1, b"STARTTLS\r\n", "SPA"))
    it.put(it.segment(0, flags="A"))
    it.greet()
    return [b""]


@_attack
def a_syn_with_data(it: Adversary) -> list[bytes]:
    it.open(octets=b"STARTTLS\r\n")
    return [b""]


@_attack
def fast_open(it: Adversary) -> list[bytes]:
    it.open(octets=b"STARTTLS\r\n", options=(FAST_OPEN,))
    return [b""]


@_attack
def multipath(it: Adversary) -> list[bytes]:
    it.open(options=(MP_CAPABLE,))
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


@_attack
def around_the_end_of_the_numbers(it: Adversary) -> list[bytes]:
    it.first = 2**32 - len(EHLO) - 4
    it.open()
    it.at(6, b"STARTTLS\r\n")
    it.at(0, b"NOOP\r\n", old=True)
    it.at(0, b"EVIL\r\n")
    it.listen(reply=False)
    return [b"NOOP\r\nXXXXXXXX\r\n", b"NOOP\r\n"]


@_attack
def far_ahead(it: Adversary) -> list[bytes]:
    it.open()
    for ahead in (2**20, 2**30 + 1, 2**31 - 1, 2**31 + 1):
        it.at(ahead, b"STARTTLS\r\n")
    it.at(0, b"NOOP\r\n")
    it.listen(reply=False)
    return [b"NOOP\r\n"]


@_attack
def the_harmless_one_fills_the_gap(it: Adversary) -> list[bytes]:
    """The end of the verb waits; what fills the gap before it overlaps it and is of another mind."""
    it.open()
    it.at(4, b"TTLS\r\n")
    it.at(0, b"NOOP xxx\r\n")
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"NOOP xxx\r\n", b"NOOPTTLS\r\n", b"NOOPXXXX\r\n", b"XXXXXXXX\r\n"]


@_attack
def the_verb_fills_the_gap(it: Adversary) -> list[bytes]:
    it.open()
    it.at(4, b" xxx\r\n")
    it.at(0, b"STARTTLS\r\n")
    it.at(0, b"NOOP xxx\r\n")
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n", b"XXXX xxx\r\n", b"STAR xxx\r\n"]


@_attack
def the_same_gap_filled_in_two_ways_and_reset_from_the_side(it: Adversary) -> list[bytes]:
    """A wrong RST between the two, as one behind the scenes would send it."""
    it.open()
    it.at(4, b"TTLS\r\n")
    it.at(10, b"", flags="R")
    it.at(0, b"NOOP", old=True)
    it.at(0, b"STAR")
    it.listen(reply=False)
    return [b"NOOPTTLS\r\n", b"NOOPXXXX\r\n", b"XXXXXXXX\r\n", b""]


@_attack
def without_the_ack_flag(it: Adversary) -> list[bytes]:
    """The server drops what has none."""
    it.open()
    it.at(0, b"NOOP xxx\r\n", flags="P")
    it.at(0, b"NOOP xxx\r\n", flags="")
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"", b"NOOP xxx\r\n", b"XXXXXXXX\r\n"]


@_attack
def every_flag_at_once(it: Adversary) -> list[bytes]:
    it.open()
    for flags in ("FSRPAU", "SFA", "SRA", "FRA", "FPU"):
        it.at(0, b"STARTTLS\r\n", flags=flags, urgent=4)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"", b"XXXXXXXX\r\n"]


@_attack
def a_syn_within_the_window(it: Adversary) -> list[bytes]:
    it.open()
    it.at(0, b"STARTTLS\r\n", flags="S")
    it.at(5, b"", flags="S")
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"", b"XXXXXXXX\r\n"]


@_attack
def an_acknowledgment_of_long_ago(it: Adversary) -> list[bytes]:
    """The server drops what acknowledges less than it ever had under way (RFC 5961 section 5)."""
    it.open()
    it.at(0, b"NOOP xxx\r\n", ack=-200_000_000)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"NOOP xxx\r\n", b"XXXXXXXX\r\n"]


@_attack
def probes_of_a_closed_window_and_keep_alives(it: Adversary) -> list[bytes]:
    """Octets where nobody looks: the one before the next, and those of a probe."""
    it.open()
    verb = b"STARTTLS\r\n"
    for at in range(len(verb)):
        it.at(at, verb[at : at + 1])
        it.at(at, b"#")
        it.at(at - 1, b"#")
        it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


@_attack
def options_of_every_length(it: Adversary) -> list[bytes]:
    """Beside the timestamps there are 28 octets more, NOPs here: the payload begins elsewhere each time."""
    it.open()
    for words in range(9):
        it.say(b"NOOP\r\n", options=(("NOP", None),) * (4 * words - 2 if words else 2))
        it.listen()
    it.at(0, b"STARTTLS\r\n", options=(("NOP", None),) * 30)
    it.listen(reply=False)
    return [b"NOOP\r\n" * 9 + b"XXXXXXXX\r\n"]


@_attack
def options_longer_than_the_header(it: Adversary) -> list[bytes]:
    """The option says 40 octets; the header ends before. Servers drop it, read it, or read a part of it."""
    it.open()
    it.at(0, b"NOOP xxx\r\n", options=((254, b"\0" * 4),))
    packet = it.segment(it.next, b"STARTTLS\r\n", options=((254, b"\0" * 2),))
    octets = bytearray(bytes(packet))
    at = octets.index(b"\xfe\x04\0\0")
    octets[at + 1] = 40
    again = IP(bytes(octets))
    del again[TCP].chksum
    it.put(again)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"NOOP xxx\r\n"]


@_attack
def fragments_of_two_minds(it: Adversary) -> list[bytes]:
    """The second fragment comes twice, the harmless one first; whoever puts it together takes one of them."""
    return _two_minds(it, b"xxxxx\r\n", b"RTTLS\r\n")


@_attack
def fragments_of_two_minds_the_other_way(it: Adversary) -> list[bytes]:
    return _two_minds(it, b"RTTLS\r\n", b"xxxxx\r\n")


def _two_minds(it: Adversary, *ends: bytes) -> list[bytes]:
    """One segment `STA...` in fragments cut at a multiple of eight: the last one comes in two versions, both summed."""
    it.open()
    head = b"NOOP xxxx\r\nSTA"
    packets = [IP(bytes(it.segment(it.next, head + end))) for end in ends]
    for each in packets:
        each.flags = 0
        del each.chksum
    cut = 32 + len(head) - (32 + len(head)) % 8
    one, two = (fragment(each, fragsize=cut) for each in packets)
    it.put(one[1], two[1], one[0])
    it.listen(reply=False)
    it.put(one[0], one[1])
    it.listen(reply=False)
    harmless, verb = b"NOOP xxxx\r\nSTAxxxxx\r\n", b"NOOP xxxx\r\nXXXXXXXX\r\n"
    return [b"", b"NOOP xxxx\r\nXXXXXXXX\r\n", harmless, verb]


@_attack
def a_recorded_route_and_a_low_ttl(it: Adversary) -> list[bytes]:
    """IP options move the TCP header, and the harmless copy dies in the firewall."""
    it.open()
    for ttl, octets in ((1, b"NOOP xxx\r\n"), (64, b"STARTTLS\r\n")):
        packet = it.segment(it.next, octets, ttl=ttl)
        packet[IP].options = [IPOption_RR(routers=["0.0.0.0"] * 8)]
        it.put(packet)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]
