"""Statements written as ASA's command reference writes them, compiled to a tree that reads a line.

Notation: a word is a keyword; ``<field:type>`` an argument (`arguments.ARGUMENTS`, or ``1-100`` for a number);
``<field=a|b>`` one of some keywords, and which; ``<field+a|b>`` one or more of them; ``[…]`` may be left out; a field
called ``_`` is read and not kept. The statements of one mode share one tree, so a line is read word by word without
going back: every error has one place. Keywords may be shortened to any unique beginning and don't heed case.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from appliance.config.arguments import ARGUMENTS, BEGINS
from appliance.config.cursor import Argument, Cursor, Rejected, number
from appliance.config.diagnostics import AMBIGUOUS, INCOMPLETE, INVALID
from appliance.config.hints import hint
from appliance.config.words import some


class Mode(enum.Enum):
    """Where a statement may stand. A mode is entered by a statement of another and left by any it doesn't know."""

    CONFIGURE = "config"
    INTERFACE = "config-if"
    NETWORK_OBJECT = "config-network-object"
    SERVICE_OBJECT = "config-service-object"
    NETWORK_GROUP = "config-network-object-group"
    SERVICE_GROUP = "config-service-object-group"
    PROTOCOL_GROUP = "config-protocol-object-group"
    ICMP_GROUP = "config-icmp-object-group"
    TIME_RANGE = "config-time-range"
    CLASS_MAP = "config-cmap"
    REGEX_CLASS = "config-cmap-r"
    POLICY_MAP = "config-pmap"
    CLASS = "config-pmap-c"
    INSPECT_MAP = "config-pmap-i"
    MATCH = "config-pmap-i-c"
    PARAMETERS = "config-pmap-p"
    ACCEPTED = "config-accepted"  # inside a statement that is not acted on: every line set in further than its head


#: What is said of a statement that is not acted on; where a word is shortened it gives way to those that are.
ACCEPTED = "accepted, not acted on"

#: What is said of a ``no``.
UNDOES = "undoes it"
NO_DESCRIPTION = "no description [<_:rest>]"

_TOKEN = re.compile(r"\[|\]|<[^<>]+>|[^\[\]<> ]+")
_RANGE = re.compile(r"(\d+)-(\d+)")


@dataclass(frozen=True, slots=True)
class Statement:
    """One row of the grammar: what is written, what it does, and the mode that follows it (None: the same).

    `apply` is called with the draft and the fields of the syntax by name. `says` is what the statement means, for
    `docs/configuration.md`.
    """

    syntax: str
    apply: Callable[..., None]
    enters: Mode | None = None
    says: str = ""


def both(
    syntax: str,
    do: Callable[..., None],
    undo: Callable[..., None],
    enters: Mode | None = None,
    *,
    says: str = "",
    short: str = "",
) -> tuple[Statement, Statement]:
    """A statement and its ``no``, which takes the same arguments unless `short` says which."""
    return Statement(syntax, do, enters, says), Statement(short or f"no {syntax}", undo, says=UNDOES)


@dataclass(frozen=True, slots=True)
class _Keyword:
    word: str
    field: str | None = None  # that keeps the word


@dataclass(frozen=True, slots=True)
class _Value:
    field: str
    type: str


_Element = _Keyword | _Value


@dataclass(slots=True)
class Node:
    """A point in the tree: what may come next, the statement that may end here, the modes that may lie ahead."""

    keywords: dict[str, tuple[_Keyword, Node]] = field(default_factory=dict)
    values: dict[_Value, tuple[Argument, Node]] = field(default_factory=dict)
    end: Statement | None = None
    ahead: set[Mode | None] = field(default_factory=set)
    acted: bool = False  # a statement that is acted on may lie ahead
    says: set[str] = field(default_factory=set)  # what the statements mean that may lie ahead


@dataclass(frozen=True, slots=True)
class Reading:
    """A line that was read: its statement, the fields, and the column of each field."""

    statement: Statement
    fields: dict[str, Any]
    columns: dict[str, int]


class Unread(Exception):
    """A line that could not be read: why, and the mode it would have entered (None: none, or it can't be told)."""

    def __init__(self, reason: Rejected, enters: Mode | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.enters = enters


def compiled(statements: Iterable[Statement]) -> Node:
    """The tree of `statements`. ValueError where two can't be told apart."""
    root = Node()
    for statement in statements:
        for path in _paths(iter(_TOKEN.findall(statement.syntax))):
            node = root
            for element in path:
                node.ahead.add(statement.enters)
                node = _child(node, element)
                node.acted |= statement.says != ACCEPTED
                node.says.add(statement.says)
            node.ahead.add(statement.enters)
            if node.end not in (None, statement):
                raise ValueError(f"two statements read alike: {statement.syntax}")
            node.end = statement
    return root


def _paths(tokens: Iterator[str]) -> list[list[_Element]]:
    """Every way through a syntax up to its end, or to the ``]`` that closes it."""
    paths: list[list[_Element]] = [[]]
    for token in tokens:
        if token == "]":
            break
        if token == "[":
            paths = [path + rest for rest in [*_paths(tokens), []] for path in paths]
        else:
            paths = [[*path, element] for element in _elements(token) for path in paths]
    return paths


def _elements(token: str) -> list[_Element]:
    if not token.startswith("<"):
        return [_Keyword(token)]
    name, separator, rest = token[1:-1].partition("=")
    if separator:
        return [_Keyword(word, name) for word in rest.split("|")]
    name, separator, rest = token[1:-1].partition("+")
    if separator:
        return [_Value(name, f"+{rest}")]
    name, _, kind = token[1:-1].partition(":")
    return [_Value(name, kind)]


def _child(node: Node, element: _Element) -> Node:
    if isinstance(element, _Keyword):
        found = node.keywords.setdefault(element.word.lower(), (element, Node()))
        if found[0] != element:
            raise ValueError(f"{element.word} is kept in one statement and not in another")
        return found[1]
    return node.values.setdefault(element, (_argument(element.type), Node()))[1]


def _argument(kind: str) -> Argument:
    if kind.startswith("+"):
        return some(tuple(kind[1:].split("|")))
    bounds = _RANGE.fullmatch(kind)
    return number(int(bounds[1]), int(bounds[2])) if bounds else ARGUMENTS[kind]


def read(root: Node, cursor: Cursor) -> Reading:
    """The statement of the line at `cursor`; Unread where it is none."""
    node, fields, columns = root, dict[str, Any](), dict[str, int]()
    try:
        while (word := cursor.peek()) is not None:
            element, value, node = _step(node, cursor)
            if element.field not in (None, "_"):
                fields[element.field], columns[element.field] = value, word.column
        if node.end is None:
            raise Rejected(cursor.end, INCOMPLETE)
    except Rejected as reason:
        raise Unread(reason, _ahead(node) if node is not root else None) from None
    return Reading(node.end, fields, columns)


def _ahead(node: Node) -> Mode | None:
    """The mode that lies ahead; where there are several, the one behind an argument: the keywords were not written."""
    ahead = node.ahead - {None}
    if len(ahead) > 1:
        ahead = {mode for _, following in node.values.values() for mode in following.ahead} - {None}
    return next(iter(ahead)) if len(ahead) == 1 else None


def _step(node: Node, cursor: Cursor) -> tuple[_Element, Any, Node]:
    """Over one keyword or one argument: an exact keyword first, then arguments, then a shortened keyword."""
    start, word = cursor.at, cursor.take()
    text = word.text.lower()
    exact = node.keywords.get(text)
    if exact is not None:
        return exact[0], exact[0].word, exact[1]
    reasons: list[Rejected] = []
    for element, (argument, following) in node.values.items():
        begins = BEGINS.get(element.type)
        if begins is not None and text not in begins:
            continue  # which reading it would find out, at the price of an exception
        cursor.at = start
        try:
            return element, argument(cursor), following
        except Rejected as reason:
            reasons.append(reason)
    cursor.at = start + 1
    begun = [found for name, found in node.keywords.items() if name.startswith(text)]
    begun = [each for each in begun if each[1].acted] or begun
    if len(begun) == 1:
        return begun[0][0], begun[0][0].word, begun[0][1]
    if begun:
        raise Rejected(word.column, AMBIGUOUS.format(word.text))
    raise max((Rejected(word.column), *reasons), key=lambda each: (each.column, each.message != INVALID))


def follow(root: Node, cursor: Cursor) -> Node:
    """The point of the tree behind all words at `cursor`; Rejected where they lead nowhere."""
    node = root
    while cursor.peek() is not None:
        _, _, node = _step(node, cursor)
    return node


def continuations(node: Node) -> dict[str, str]:
    """What may come next, with what is known of it: keywords, arguments, ``<cr>`` where the statement may end."""
    found: dict[str, str] = {}
    for element in node.values:
        found |= hint(element.type)
    for keyword, following in node.keywords.values():
        found[keyword.word] = next(iter(following.says)) if len(following.says) == 1 else ""
    return found | ({"<cr>": ""} if node.end else {})
