"""Two streams put together from what a wire carried: each octet once, whatever came twice."""

from ipaddress import IPv4Address

from appliance.lab.wire import Piece, Seen, dialogue, is_fragment, stream
from appliance.tcp.segment import ACK, SYN

CLIENT, SERVER = IPv4Address("203.0.113.10"), IPv4Address("203.0.113.125")


def client(seq: int, payload: bytes = b"", flags: int = ACK) -> Seen:
    return Seen(CLIENT, 40000, SERVER, 25, seq % 2**32, 0, flags, payload)


def server(seq: int, payload: bytes = b"", flags: int = ACK) -> Seen:
    return Seen(SERVER, 25, CLIENT, 40000, seq % 2**32, 0, flags, payload)


def test_a_dialogue_is_in_the_order_it_passed() -> None:
    seen = [
        client(99, flags=SYN),
        server(499, flags=SYN | ACK),
        server(500, b"220 \r\n"),
        client(100, b"QUIT\r\n"),
        server(506, b"221 \r\n"),
    ]
    assert dialogue(seen, 40000) == [Piece(False, b"220 \r\n"), Piece(True, b"QUIT\r\n"), Piece(False, b"221 \r\n")]


def test_what_comes_again_is_heard_once_and_only_its_new_octets_count() -> None:
    seen = [client(99, flags=SYN), client(100, b"QU"), client(100, b"QU"), client(100, b"QUIT"), client(102, b"IT")]
    assert stream(dialogue(seen, 40000), True) == b"QUIT"


def test_numbers_wrap() -> None:
    seen = [client(-2, flags=SYN), client(-1, b"QU"), client(1, b"IT"), client(-1, b"QUIT")]
    assert stream(dialogue(seen, 40000), True) == b"QUIT"


def test_another_connection_is_not_this_one() -> None:
    other = Seen(CLIENT, 40001, SERVER, 25, 1, 0, ACK, b"HELO")
    assert dialogue([other], 40000) == []


def test_a_fragment_is_known_by_its_offset_or_its_flag() -> None:
    def packet(word: int) -> bytes:
        return bytes(6) + word.to_bytes(2, "big") + bytes(12)

    assert [is_fragment(packet(word)) for word in (0x0000, 0x4000, 0x2000, 0x0001)] == [False, False, True, True]
