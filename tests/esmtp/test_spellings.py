"""Commands as they are really spelt: what each line of the table comes to, in every cut."""

import re

import pytest

from appliance.esmtp.events import (
    Breach,
    Command,
    Fact,
    InvalidAddress,
    Misplaced,
    Odd,
    Pipe,
    Recipient,
    Sender,
    Special,
    Unsupported,
)
from appliance.esmtp.grammar import declared
from appliance.esmtp.session import OPTIONAL, Session, Settings
from appliance.flow import Side
from tests.playbook import client, pieces
from tests.vectors.spellings import SPELLINGS


def shown(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace")


def word(fact: Fact) -> str:
    """A fact as the table has it."""
    match fact:
        case Command(verb=verb):
            return verb
        case Sender(address=address):
            return f"from <{shown(address)}>"
        case Recipient(address=address, hosts=hosts):
            return f"to <{shown(address)}> in {' '.join(shown(each) or '?' for each in hosts) or 'none'}"
        case Unsupported():
            return "X"
        case Odd(oddity=oddity):
            return oddity.value
        case Breach(rule=rule):
            return rule.value
        case InvalidAddress():
            return "invalid address"
        case Misplaced() | Pipe() | Special():
            return f"{type(fact).__name__.lower()} at {fact.offset}"
        case _:
            return repr(fact)


def told(segments: list[bytes]) -> str:
    """What a session says of a command line in `segments`."""
    session = Session(Settings(wanted=OPTIONAL))
    session.feed(Side.SERVER, 0, b"220 mx\r\n")
    words, at = [], 0
    for segment in segments:
        facts = session.feed(Side.CLIENT, at, segment)
        words += [word(fact) for fact in facts]
        if any(isinstance(fact, Pipe | Breach) for fact in facts):
            break  # the policy closes here
        at += len(segment)
    return re.sub(r"X(, X)+", "X", ", ".join(words))  # it is masked piece by piece


ROWS = [
    pytest.param(line, expected, id=f"{source}: {line!r}")
    for source in SPELLINGS
    for line, expected in SPELLINGS[source]
]


@pytest.mark.parametrize(("line", "expected"), ROWS)
def test_a_spelling(line, expected):
    sent = client(line + b"\r\n")
    fine = pieces(sent)
    assert told([sent.octets]) == expected
    assert told(fine) == expected
    at = 0
    for piece in fine[:-1]:
        at += len(piece)
        assert told([sent.octets[:at], sent.octets[at:]]) == expected


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (b"MAIL FROM:<a@example.com> SIZE=500000", 500_000),  # RFC 1870 6.4
        (b"MAIL FROM:<a@example.com> size=77", 77),
        (b"MAIL FROM:<a@example.com> BODY=8BITMIME SIZE=1024", 1024),
        (b"MAIL FROM:a@example.com SIZE=12", 12),
        (b"MAIL FROM:<a@example.com>\tSIZE=7", 7),
        (b"MAIL FROM:<a@example.com>SIZE=10", 10),  # Postfix takes it too
        (b"MAIL FROM:<a@example.com> SIZE=5 SIZE=6", 5),
        (b"MAIL FROM:<a@example.com> SIZE=99999999999999999999", 10**20 - 1),  # twenty digits, RFC 1870 4
        (b"MAIL FROM:<a@example.com> SIZE=999999999999999999999", 0),
        (b"MAIL FROM:<a@example.com> SIZE=0", 0),
        (b"MAIL FROM:<a@example.com> SIZE=", 0),
        (b"MAIL FROM:<a@example.com> SIZE=12x", 0),
        (b"MAIL FROM:<a@example.com> XSIZE=5", 0),
        (b"MAIL FROM:<SIZE=5@example.com>", 0),
        (b"MAIL FROM:<a@example.com>", 0),
    ],
)
def test_a_declared_size(line, size):
    _, _, parameters = line.partition(b":")[2].lstrip().partition(b">" if b"<" in line else b" ")
    assert declared(parameters) == size


def test_the_table_is_large():
    assert len({line for rows in SPELLINGS.values() for line, _ in rows}) >= 200
