"""The words of SMTP: verbs by the RFC that defines them, and the parameters of an EHLO reply.

ASA's inspection supports fifteen verbs (asa.md §1.2); everything else is an unsupported command, and so are these
fifteen when the octet behind the verb is neither SP nor CR (row 3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb in upper case. `path`: a mail address follows (row 8); `sender`: it is the sender's.

    `waits`: the client must see the reply before it sends anything else (row 7a).
    """

    word: str
    path: bool = False
    sender: bool = False
    waits: bool = False


RFC821 = (
    Verb("SEND", path=True, sender=True),
    Verb("SOML", path=True, sender=True),
    Verb("SAML", path=True, sender=True),
)
RFC1985 = (Verb("ETRN"),)
RFC4954 = (Verb("AUTH", waits=True),)
RFC5321 = (
    Verb("EHLO"),
    Verb("HELO"),
    Verb("MAIL", path=True, sender=True),
    Verb("RCPT", path=True),
    Verb("DATA", waits=True),
    Verb("RSET"),
    Verb("VRFY"),
    Verb("HELP"),
    Verb("NOOP"),
    Verb("QUIT"),
)

#: The fifteen, by their octets.
SUPPORTED: dict[bytes, Verb] = {each.word.encode(): each for each in (*RFC821, *RFC1985, *RFC4954, *RFC5321)}

#: RFC 3207: supported only where the map allows it (row 11).
STARTTLS = Verb("STARTTLS", waits=True)
#: RFC 3030: never supported, and its payload is never to be read as commands (row 10).
BDAT = Verb("BDAT", waits=True)

#: A verb is four octets long, STARTTLS eight; one more tells that it is whole.
SHORT = 4
LONG = 8
HEAD = LONG + 1

#: RFC 1652, 1845, 1870, 1985, 2034, 2920, 3030, 3461, 4954, 5321: keyword → ASA's word (asa.md §1.8).
PARAMETERS: dict[bytes, str] = {
    b"8BITMIME": "8bitmime",
    b"AUTH": "auth",
    b"BINARYMIME": "binarymime",
    b"CHECKPOINT": "checkpoint",
    b"DSN": "dsn",
    b"ENHANCEDSTATUSCODES": "ecode",
    b"ETRN": "etrn",
    b"PIPELINING": "pipelining",
    b"SIZE": "size",
    b"VRFY": "vrfy",
}
#: The word of every other keyword.
OTHERS = "others"


def starts(line: bytes, verbs: Iterable[Verb]) -> Verb | None:
    """Which of `verbs` the first octets of a finished `line` (without its end) are, the octet behind it included."""
    word = line.split(b" ", 1)[0].upper()
    return next((each for each in verbs if each.word.encode() == word), None)
