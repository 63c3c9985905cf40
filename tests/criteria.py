"""Scripts for the criteria of an inspect map: for each limit, one in which what it measures is exactly so many."""

from __future__ import annotations

from appliance.policy.maps import Deed, InspectMap, Match, Parameters, Reaction
from tests.playbook import HELLO, IN_MESSAGE, Sent, accepted, client, payload, server

CLOSE, RESET = Reaction(Deed.DROP_CONNECTION, log=True), Reaction(Deed.RESET)
LOG, MASK = Reaction(Deed.LOG, log=True), Reaction(Deed.MASK, log=True)

DATA = (client(b"DATA\r\n"), server(b"354 go\r\n"))
MAIL, RCPT = b"MAIL FROM:<a@example.com>\r\n", b"RCPT TO:<b@example.net>\r\n"


def under(*matches: Match, **parameters: object) -> InspectMap:
    return InspectMap("m", Parameters(**parameters), matches)  # type: ignore[arg-type]


def message(header: bytes, body: bytes = b"") -> tuple[Sent, ...]:
    return (*IN_MESSAGE, payload(header + b"\r\n" + body + b".\r\n"), server(b"250 ok\r\n"))


def part(*fields: bytes) -> tuple[Sent, ...]:
    """A message of one part with these fields."""
    head = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
    return message(head, b"--b\r\n" + b"".join(each + b"\r\n" for each in fields) + b"\r\nx\r\n--b--\r\n")


def recipients(count: int, reply: bytes = b"250 ok\r\n") -> tuple[Sent, ...]:
    return (*HELLO, *accepted(MAIL), *([client(RCPT), server(reply)] * count), *DATA)


#: By row: a script in which what it measures is exactly so many.
MEASURED = {
    "cmd-line-length": lambda n: (*HELLO, client(b"NOOP " + b"x" * (n - 5) + b"\r\n")),
    "cmd-rcpt-count": recipients,
    "body-length": lambda n: message(b"a: b\r\n", b"x" * (n - 2) + b"\r\n"),
    "body-line-length": lambda n: message(b"a: b\r\n", b"." + b"." + b"x" * (n - 1) + b"\r\n\r\n"),
    "header-length": lambda n: message(b"a: " + b"b" * (n - 7) + b"\r\n"),
    "header-line-length": lambda n: message(b"a: b\r\n " + b"c" * (n - 1) + b"\r\n"),
    "header-to-fields-count": lambda n: message(b"To: x\r\nTopic: y\r\n" + b"tO: <b@example.net>\r\n" * (n - 1)),
    "sender-address-length": lambda n: (*HELLO, client(b"MAIL FROM:<" + b"a" * n + b">\r\n")),
    "invalid-recipients-count": lambda n: (
        *HELLO,
        *accepted(MAIL, RCPT),
        *([client(RCPT), server(b"550 no\r\n")] * n),
        *DATA,
    ),
    "mime-filename-length": lambda n: part(b'Content-Disposition: attachment; filename="' + b"f" * n + b'"'),
}
#: Longer than the commands of the script, and few enough to cut everywhere.
LIMIT = 16
