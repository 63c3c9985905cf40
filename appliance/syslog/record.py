"""What every log record is: an id, a severity, a sentence, and nothing of the wire but what can be printed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

#: Octets of a peer that a record shows at most (row 23).
SHOWN = 128
#: What stands for the rest.
ELLIPSIS = "…"


def printable(octets: bytes) -> str:
    """Octets of the wire as a record shows them: printable ASCII, others ``\\ooo``, at most 128 and then ``…``."""
    shown = "".join(chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03o}" for octet in octets[:SHOWN])
    return shown + ELLIPSIS if len(octets) > SHOWN else shown


def one_line(text: str) -> str:
    """`text` with every character that is not printable ASCII (nor our own ``…``) as the ``\\ooo`` of its UTF-8."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each if each == ELLIPSIS or (each.isascii() and each.isprintable()) else _octal(each) for each in text
    )


def _octal(character: str) -> str:
    return "".join(f"\\{octet:03o}" for octet in character.encode("utf-8", "surrogatepass"))


class Record(ABC):
    """One log message. `id` and `severity` (0-7) are its class's; `product` says whose message it is."""

    __slots__ = ()
    id: ClassVar[int]
    severity: ClassVar[int]
    product: ClassVar[str] = "ASA"

    @property
    def logged_at(self) -> int:
        """The severity that this one has: its class's, unless the configuration says another."""
        return self.severity

    @abstractmethod
    def sentence(self) -> str:
        """The message's words."""

    def text(self) -> str:
        """The message without any header: always one printable line."""
        return one_line(self.sentence())
