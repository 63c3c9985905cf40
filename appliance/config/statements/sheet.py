"""What every part of a draft stands on: the statement at hand, and how it is refused."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping

from appliance.config.cursor import Rejected
from appliance.config.lexer import Line
from appliance.config.syntax import Statement
from appliance.config.versions import SEED


class Sheet:
    """The statement being done: its line, and the columns of its fields."""

    def __init__(self) -> None:
        self.warnings: list[tuple[int, str]] = []  # (column, message) of the statement being done
        self.version = SEED  # as far as the file has told
        self.forgotten: set[int] = set()  # lines that a later one has undone: what they name is named no more
        self._line = Line(0, "", ())
        self._columns: Mapping[str, int] = {}
        self._reported: set[str] = set()
        self._lines: dict[Hashable, int] = {}  # the line that said a thing last

    def at(self, line: Line, columns: Mapping[str, int]) -> None:
        """The statement that comes next stands on `line`, its fields in `columns`."""
        self._line, self._columns = line, columns
        self.warnings = []

    def rejected(self, field: str, message: str) -> Rejected:
        """The error at `field`, or at the line's first word."""
        return Rejected(self._columns.get(field, self._line.words[0].column), message)

    def stands(self, field: str, given: object, known: object) -> None:
        """Refuse a ``no`` whose `given` value is another than the `known` one, which stays; None is neither."""
        if given is not None and known is not None and given != known:
            raise self.rejected(field, f"ERROR: that does not stand here: it is {known}")

    def _room(self, name: str, known: Collection[str], most: int, what: str) -> None:
        """Refuse a new `name` where `most` are `known`."""
        if name not in known and len(known) >= most:
            raise self.rejected("name", f"ERROR: at most {most} {what}")

    def warn(self, field: str, message: str) -> None:
        """Say something of the statement at `field`, or at its first word."""
        self.warnings.append((self._columns.get(field, self._line.words[0].column), message))

    def accepted_once(self, head: str, message: str = "") -> str:
        """The statement as it is written, which changes nothing; the first with this `head` is told of."""
        if head not in self._reported:
            self._reported.add(head)
            self.warn("", message or f"WARNING: accepted, not acted on: {head}")
        return self._line.text.strip(" \t").replace("\t", " ")

    def said(self, *thing: Hashable) -> None:
        """This line says `thing`, and takes the place of the one that said it before."""
        self.unsaid(*thing)
        self._lines[thing] = self._line.number

    def unsaid(self, *thing: Hashable) -> None:
        """`thing` is not so any more: what the line that said it names is named no more."""
        line = self._lines.pop(thing, None)
        if line is not None:
            self.forgotten.add(line)

    def unnamed(self, nameif: str) -> None:
        """No interface is called `nameif` any more: what other lines say of it alone goes, as on an ASA."""
        del nameif  # this sheet has nothing of it

    def exit(self) -> None:
        """``exit`` and ``quit``: the parser leaves the mode; ``end``: it leaves all of them."""


EXIT, QUIT, END = (Statement(word, Sheet.exit) for word in ("exit", "quit", "end"))
