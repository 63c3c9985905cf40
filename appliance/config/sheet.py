"""What every part of a draft stands on: the statement at hand, and how it is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from appliance.config.arguments import Rejected
from appliance.config.lexer import Line


class Sheet:
    """The statement being done: its line, and the columns of its fields."""

    def __init__(self) -> None:
        self.warnings: list[tuple[int, str]] = []  # (column, message) of the statement being done
        self._line = Line(0, "", ())
        self._columns: Mapping[str, int] = {}

    def at(self, line: Line, columns: Mapping[str, int]) -> None:
        """The statement that comes next stands on `line`, its fields in `columns`."""
        self._line, self._columns = line, columns
        self.warnings = []

    def rejected(self, field: str, message: str) -> Rejected:
        """The error at `field`, or at the line's first word."""
        return Rejected(self._columns.get(field, self._line.words[0].column), message)

    def _room(self, name: str, known: Collection[str], most: int, what: str) -> None:
        """Refuse a new `name` where `most` are `known`."""
        if name not in known and len(known) >= most:
            raise self.rejected("name", f"ERROR: at most {most} {what}")

    def exit(self) -> None:
        """``exit``: the parser leaves the mode."""
