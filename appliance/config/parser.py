"""A rule file, statement by statement: a stack of modes over the grammar's trees.

A statement is looked for in the mode it stands in, then in each mode around it; where it is found, the modes inside
are left. What a mode only keeps stands outside it in a file that sets its blocks in and this line not, if it is
known there: ``crypto`` behind an interface. A statement in error is reported and left out; if it would have opened
a mode, what stands in that mode is read (and reported on) but not done, so that one mistake is one error. Reading
ends after `MOST` errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from appliance.config.config import Config
from appliance.config.cursor import Cursor, Reference, Rejected
from appliance.config.diagnostics import INCOMPLETE, Diagnostic, Place, Severity
from appliance.config.draft import Draft
from appliance.config.grammar import TREES
from appliance.config.lexer import Line, lines
from appliance.config.statements.sheet import END, EXIT, QUIT
from appliance.config.syntax import ACCEPTED, Mode, Reading, Unread, read
from appliance.config.traffic import IPV6

#: Errors that are kept, and warnings, of which a whole configuration has a hundred: more help nobody.
MOST, MOST_WARNINGS = 100, 400


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file read: the configuration as far as it could be, what was wrong, and what `verify` needs to say where."""

    config: Config
    diagnostics: tuple[Diagnostic, ...]
    references: tuple[Reference, ...] = ()
    lines: dict[int, Line] = field(default_factory=dict)  # the statements that define things with a line number


def parse(text: str | bytes) -> Parsed:
    """Read a rule file. Never raises for what the file holds."""
    parser = Parser()
    for each in lines(text):
        if isinstance(each, Diagnostic):
            parser.diagnose(each)
        else:
            parser.line(each)
        if parser.full:
            break
    parser.leave(0)
    return Parsed(parser.draft.config(), tuple(parser.diagnostics), parser.live_references(), parser.lines)


@dataclass(frozen=True, slots=True)
class _Frame:
    mode: Mode
    opened: Line  # the statement that opened it
    dead: bool  # opened by a statement in error: nothing in it is done


class Parser:
    """Reads statements into its `draft`, one after another."""

    def __init__(self) -> None:
        self.draft = Draft()
        self.diagnostics: list[Diagnostic] = []
        self.references: list[Reference] = []
        self.lines: dict[int, Line] = {}
        self._stack = [_Frame(Mode.CONFIGURE, Line(0, "", ()), False)]
        self._counts = dict.fromkeys(Severity, 0)
        self._told_of_ipv6 = False
        self._set_in = False  # the file sets in what stands in a block

    @property
    def full(self) -> bool:
        """So many errors that the rest is not read."""
        return self._counts[Severity.ERROR] >= MOST

    @property
    def mode(self) -> Mode:
        """Where the next statement stands."""
        return self._stack[-1].mode

    def typed(self, line: Line) -> tuple[Diagnostic, ...]:
        """Read and do a statement that somebody types: what is wrong with it. One in error opens no mode."""
        self.diagnostics.clear()
        self._counts = dict.fromkeys(Severity, 0)
        self._set_in = False
        self.line(line)
        while self._stack[-1].dead:
            self._stack.pop()
        return tuple(self.diagnostics)

    def live_references(self) -> tuple[Reference, ...]:
        """What is still named where the file ends."""
        return tuple(each for each in self.references if each.line.number not in self.draft.forgotten)

    def diagnose(self, diagnostic: Diagnostic) -> None:
        """Keep a diagnostic, the last one saying that there were too many."""
        severity, place = diagnostic.severity, diagnostic.place
        most = MOST if severity is Severity.ERROR else MOST_WARNINGS
        self._counts[severity] += 1
        if self._counts[severity] < most:
            self.diagnostics.append(diagnostic)
        elif self._counts[severity] == most:
            message = f"{severity.value}: more than {most - 1} of them, the rest is not shown"
            self.diagnostics.append(Diagnostic(severity, place, message, diagnostic.source))

    def line(self, line: Line) -> None:
        """Read one statement and do it."""
        if self._stack[-1].mode is Mode.ACCEPTED:
            if line.indent > self._stack[-1].opened.indent:
                self.draft.accept_inside(line)
                return
            self._stack.pop()
        block = len(self._stack) > 1 and line.indent > self._stack[-1].opened.indent
        self._set_in |= block
        furthest: Unread | None = None
        merely: tuple[int, Reading, Cursor] | None = None  # a block would keep it, but it stands outside
        first_word = line.words[0].column
        for depth in range(len(self._stack) - 1, -1, -1):
            cursor = Cursor(line, names=self.draft.addresses, groups=self.draft.group_kinds)
            try:
                reading = read(TREES[self._stack[depth].mode], cursor)
            except Unread as unread:
                # The innermost mode that knows the first word is meant, else the one that reads furthest.
                if furthest is None or first_word >= furthest.reason.column < unread.reason.column:
                    furthest, found = unread, depth
                continue
            if self._set_in and not block and depth and reading.statement.says == ACCEPTED:
                merely = merely or (depth, reading, cursor)
                continue
            self.leave(depth)
            self._do(reading, cursor)
            return
        if merely is not None:
            self.leave(merely[0])
            self._do(*merely[1:])
            return
        if furthest is not None:
            self._error(line, furthest.reason)
            if furthest.enters is not None:
                self.leave(found)
                self._stack.append(_Frame(furthest.enters, line, dead=True))

    def leave(self, depth: int) -> None:
        """Leave every mode inside the one at `depth`."""
        while len(self._stack) > depth + 1:
            frame = self._stack.pop()
            if frame.mode is Mode.MATCH:
                if self.draft.match_waits:
                    end = frame.opened.words[-1]
                    self._error(frame.opened, Rejected(end.column + len(end.text), INCOMPLETE))
                self.draft.no_condition()

    def _do(self, reading: Reading, cursor: Cursor) -> None:
        line, dead = cursor.line, self._stack[-1].dead
        self.references.extend(cursor.references)
        self.draft.at(line, reading.columns)
        if not dead:
            self.lines[line.number] = line
            try:
                reading.statement.apply(self.draft, **reading.fields)
            except Rejected as reason:
                self._error(line, reason)
                dead = True
        for column, message in (*self._untold(cursor), *self.draft.warnings):
            self.diagnose(Diagnostic(Severity.WARNING, Place(line.number, column), message, line.text))
        if reading.statement in (EXIT, QUIT):
            self.leave(max(0, len(self._stack) - 2))
        elif reading.statement is END:
            self.leave(0)
        elif reading.statement.enters is not None:
            self._stack.append(_Frame(reading.statement.enters, line, dead))

    def _untold(self, cursor: Cursor) -> Iterator[tuple[int, str]]:
        """What was noticed of words, but for that of IPv6 that was told before."""
        for column, message in cursor.warnings:
            if message != IPV6 or not self._told_of_ipv6:
                yield column, message
            self._told_of_ipv6 |= message == IPV6

    def _error(self, line: Line, reason: Rejected) -> None:
        self.diagnose(Diagnostic(Severity.ERROR, Place(line.number, reason.column), reason.message, line.text))
