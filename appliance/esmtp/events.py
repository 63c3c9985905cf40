"""The first vocabulary: what was seen on the wire, as a closed union of facts.

A fact says what the peers did and where in the stream, never what is to be done about it: dropping, masking
and logging are policy. Offsets are absolute, from the first payload octet of that side. There is a fact for what
happened; octets that merely pass make none.
"""

from __future__ import annotations

import enum

from appliance.value import value


class Quantity(enum.Enum):
    """What a limit can be set on. Lengths are octets without CRLF; dot-stuffing is undone."""

    __hash__ = object.__hash__  # an enumeration's own is a call of Python, and limits are looked up for every message

    COMMAND_LINE = "command line"  # any client line outside DATA and SASL
    RECIPIENTS = "recipients"  # RCPT commands of one transaction, refused ones too (row 13)
    INVALID_RECIPIENTS = "invalid recipients"  # of these, those the server refused (4xx, 5xx); a server's fact
    BODY = "body"  # all octets behind the empty line, line ends too, up to the ``.`` line
    BODY_LINE = "body line"
    HEADER = "header"  # all octets of the header section, line ends too, and the empty line that ends it
    HEADER_LINE = "header line"  # one physical line: folding does not join lines
    TO_FIELDS = "To fields"  # fields named To in the message's header section, whatever stands in them (asa.md §2.3)
    SENDER_ADDRESS = "sender address"  # between the angle brackets
    MIME_FILENAME = "MIME filename"  # octets of a file name in UTF-8, every encoding of it undone


class Oddity(enum.Enum):
    """What a peer should not have done and yet can be left to do: counted, the connection goes on."""

    UNSUPPORTED = "unsupported command"  # a verb that is none of ours (row 3), typed by hand (row 4)
    TRUNCATED = "truncated command"  # under four letters (row 5)
    EMPTY = "empty command"
    UNTERMINATED = "unterminated command"  # the client's FIN inside a line (row 6)
    PIPELINED = "pipelined command"  # before a reply, PIPELINING not offered (row 7)
    UNEXPECTED_REPLY = "unexpected reply"  # nothing outstanding, or a message runs (row 7)
    EIGHT_BIT = "8-bit command"  # an octet above 127 in a command line
    CONTROL = "control octet in a command"  # outside mail addresses (row 8)
    BARE_LINE_END = "bare CR or LF in a message"  # each one counts (row 9)
    UNREADABLE_MIME = "unreadable MIME structure"  # beyond what is followed of it (mime.py); once a message
    STALLED = "stalled reply line"  # its LF did not come in time


class Rule(enum.Enum):
    """What a peer must not do, under the name it has in 108004 (row 14)."""

    TERMINATION = "command-termination"  # row 6
    SERVER_TRANSITION = "server-transition"  # row 7
    OUTSTANDING = "outstanding-commands"  # row 7
    EARLY_DATA = "early-data"  # row 7a
    SMUGGLING = "smuggling-guard"  # row 9
    TLS = "allow-tls"  # row 11
    SASL_LENGTH = "sasl-line"  # row 12
    EHLO_REPLY = "ehlo-reply"  # the limits on what may be held (design §2)


@value
class Command:
    """A supported verb, whole: the line goes on until its CRLF."""

    verb: str
    offset: int


@value
class Unsupported:
    """Octets of a line no supported verb owns, its CR LF not among them."""

    offset: int
    length: int


@value
class Odd:
    """An oddity, `count` times. `detail` says more where it is logged; it never holds a credential."""

    oddity: Oddity
    offset: int
    count: int = 1
    detail: str = ""


@value
class Breach:
    """A rule was broken; `offset` is the first octet the peer must not get."""

    rule: Rule
    detail: str
    offset: int


@value
class Exceeded:
    """`quantity` is more than `limit` (one of the limits the session was told), from the octet at `offset` on."""

    quantity: Quantity
    limit: int
    offset: int


@value
class Kept:
    """`quantity` ended at `offset` and was not more than `limit`: what a limit's ``not`` asks for.

    It is stated of command lines at their LF, and of a transaction's recipients, the refused ones too, at the 354.
    """

    quantity: Quantity
    limit: int
    offset: int


@value
class Misplaced:
    """An octet that has no place where it is in a command: a stray angle bracket, a control octet (row 8)."""

    offset: int


@value
class InvalidAddress:
    """A MAIL, RCPT, SEND, SOML or SAML line that had misplaced octets came to its end; its first octets as sent."""

    line: bytes
    offset: int


@value
class Pipe:
    """``|`` in the address of a mail address command (row 8); the address up to and with it, as sent."""

    address: bytes
    offset: int


@value
class Special:
    """A back-quote or a NUL in a mail address (asa.md §1.9); the address up to and with it, as sent."""

    octet: int
    address: bytes
    offset: int


@value
class Sender:
    """An address in a MAIL, SEND, SOML or SAML: what stands between the brackets, as sent; nothing (``<>``) is one too.

    `mailbox` is what a server keeps of it: no source route, no comments, no blanks, no quoting. `whole` is False of
    the first octets of an address longer than any server takes. `offset` is the octet that ended it. Of a line that
    servers read differently there is one for each reading.
    """

    address: bytes
    mailbox: bytes
    whole: bool
    offset: int


@value
class Recipient:
    """The forward-path of an RCPT, as sent, its first octets; `hosts` are all that some server may take mail for it to.

    They are as sent, an address literal with its brackets, an empty one where it can't be told; there is none for
    ``<Postmaster>`` and for an empty path.
    """

    address: bytes
    hosts: tuple[bytes, ...]
    offset: int


@value
class Greeting:
    """Octets of the text of a 220 greeting, line ends and the first four octets of each line not among them."""

    offset: int
    octets: bytes


@value
class Greeted:
    """A 220 greeting has begun."""

    offset: int


@value
class EhloReply:
    """A 2xx reply to EHLO has begun."""

    offset: int


@value
class EhloParameter:
    """A parameter line of an EHLO reply: `word` is its keyword's ASA word, ``others`` if it has none.

    `offset` and `length` cover keyword and arguments, not the code and not the line end. `starttls` tells the one
    keyword a parameter of the map speaks of. `whole` is False of a piece of a line that stalled; a piece whose
    keyword is not known yet, and what has a bare CR or is behind one, has no word (``""``).
    """

    word: str
    offset: int
    length: int
    starttls: bool = False
    whole: bool = True


@value
class MessageBegun:
    """The 354 to DATA was seen whole: the next client octet, at `offset`, is the message's first."""

    offset: int


@value
class MessageEnded:
    """``.`` CRLF: `offset` is the octet behind it."""

    offset: int


@value
class SizeViolation:
    """The message that ended at `offset` is bigger than its MAIL's SIZE= said (RFC 1870): octets, dots unstuffed."""

    declared: int
    actual: int
    offset: int


@value
class MimeEncoding:
    """A Content-Transfer-Encoding, of the message or a part of it: ASA's `word`, ``others`` of what it has none for.

    `offset` is where the header section it stands in was seen to end.
    """

    word: str
    offset: int


@value
class MimeFile:
    """A name that the message or a part of it gives itself, and its media type: once for every name it gives.

    `filename` is in UTF-8, every encoding of it undone, and empty where a part states a type and no name.
    `content_type` is ``type/subtype`` in lower case, empty if none is stated. `offset` as in `MimeEncoding`.
    """

    filename: bytes
    content_type: str
    offset: int


@value
class TlsStarted:
    """Behind the 220 to STARTTLS both sides began with a TLS record."""

    offset: int


Fact = (
    Command
    | Unsupported
    | Odd
    | Breach
    | Exceeded
    | Kept
    | Misplaced
    | InvalidAddress
    | Pipe
    | Special
    | Sender
    | Recipient
    | Greeting
    | Greeted
    | EhloReply
    | EhloParameter
    | MessageBegun
    | MessageEnded
    | SizeViolation
    | MimeEncoding
    | MimeFile
    | TlsStarted
)
