"""A configuration being changed line by line, as at a device's prompt: each line is read and done, or refused, at once.

What is being made is a candidate: nothing here puts it in force. Names are not looked up before all of it is asked for
(`loaded`), so that lines may come in any order. ``clear configure …`` is a statement here and nowhere else: a file has
nothing to clear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from appliance.config.config import Config
from appliance.config.diagnostics import INCOMPLETE, INVALID, Diagnostic, Place, Severity
from appliance.config.lexer import Line, Word, lines
from appliance.config.load import Loaded, load, verified
from appliance.config.nat import (
    GlobalStatement,
    ManualNat,
    NatStatement,
    ObjectNat,
    PolicyStaticStatement,
    StaticStatement,
)
from appliance.config.parser import Parsed, Parser
from appliance.config.render import running_config
from appliance.config.syntax import Mode

#: What ``clear configure`` clears, and the parts of a configuration that are it; of those with a name one may be named.
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "access-group": ("access_groups",),
    "access-list": ("access_lists",),
    "class-map": ("class_maps", "regex_classes"),
    "interface": ("interfaces",),
    "logging": ("logging",),
    "policy-map": ("policy_maps", "inspect_maps"),
    "regex": ("regexes",),
    "route": ("routes",),
    "service-policy": ("service_policies",),
    "names": ("names", "names_shown"),
    "object": ("objects", "service_objects"),
    "object-group": ("groups",),
    "timeout": ("timeouts",),
    "all": tuple(each.name for each in fields(Config)),
}


#: The same of translation's statements, by what they are.
TRANSLATIONS: Mapping[str, tuple[type, ...]] = {
    "static": (StaticStatement, PolicyStaticStatement),
    "nat": (NatStatement, ObjectNat, ManualNat),
    "global": (GlobalStatement,),
}


class Editor:
    """A candidate that begins as `config`."""

    def __init__(self, config: Config) -> None:
        self._begin(config)

    def _begin(self, config: Config) -> None:
        self._parser = Parser()
        self._number = 0
        for each in lines(running_config(config)):
            assert isinstance(each, Line), "what we print we can read"
            self._number = each.number
            self._parser.line(each)
        self._parser.leave(0)

    @property
    def mode(self) -> Mode:
        """Where the next line stands."""
        return self._parser.mode

    @property
    def config(self) -> Config:
        """What it has come to; its names may be of nothing."""
        return self._parser.draft.config()

    def text(self) -> str:
        """The whole candidate, as a rule file."""
        self._parser.leave(0)
        return running_config(self.config)

    def loaded(self) -> tuple[Loaded, Mapping[int, str]]:
        """The whole candidate verified, and its lines by the numbers that diagnostics have.

        It was read when it was typed. What seems wrong is looked at once more as the file it would be, in which nothing
        is left of what was typed and undone.
        """
        self._parser.leave(0)
        parsed = Parsed(self.config, (), self._parser.live_references(), self._parser.lines)
        found = verified(parsed)
        if found.config is not None:
            return found, {number: each.text for number, each in parsed.lines.items()}
        text = self.text()
        return load(text), dict(enumerate(text.split("\n"), 1))

    def line(self, text: str) -> tuple[Diagnostic, ...]:
        """Do one line; what is wrong with it, or noteworthy. One in error changes nothing and opens no mode."""
        found: list[Diagnostic] = []
        for each in lines(text):
            self._number += 1
            if isinstance(each, Diagnostic):
                found.append(replace(each, place=replace(each.place, line=self._number)))
            elif clears(word.text for word in each.words):
                found.extend(self._clear(replace(each, number=self._number)))
            else:
                found.extend(self._parser.typed(replace(each, number=self._number)))
        return tuple(found)

    def _clear(self, line: Line) -> Iterable[Diagnostic]:
        section, name, *more = (*line.words[2:], None, None)[: max(2, len(line.words) - 2)]
        if section is None:
            return [_error(line, Word("", len(line.text) + 1), INCOMPLETE)]
        word = section.text.lower()
        begun = [each for each in (*SECTIONS, *TRANSLATIONS) if each.startswith(word)]
        begun = [word] if word in begun else begun
        if len(begun) != 1 or more:
            return [_error(line, more[0] if more and more[0] else section, INVALID)]
        if begun[0] in TRANSLATIONS and name is None:
            cleared = TRANSLATIONS[begun[0]]
            kept = tuple(each for each in self.config.translations if not isinstance(each, cleared))
            self._begin(replace(self.config, translations=kept))
            return []
        parts = SECTIONS.get(begun[0], ())
        if name is None:
            default = Config()
            self._begin(replace(self.config, **{part: getattr(default, part) for part in parts}))
            return []
        left: dict[str, Any] = {part: _without(getattr(self.config, part), name.text) for part in parts}
        if all(value == getattr(self.config, part) for part, value in left.items()):
            return [_error(line, name, f"ERROR: {begun[0]} <{name.text}> does not exist")]
        self._begin(replace(self.config, **left))
        return []


def clears(words: Iterable[str]) -> bool:
    """Whether a line is ``clear configure …``, which may be shortened to what is no other command's."""
    first, second, *_ = (*(each.lower() for each in words), "", "")
    return len(first) > 2 and "clear".startswith(first) and len(second) > 3 and "configure".startswith(second)


def _without(value: object, name: str) -> object:
    """Things but for the one called `name`."""
    if not isinstance(value, tuple):
        return value
    return tuple(each for each in value if getattr(each, "name", None) != name)


def _error(line: Line, word: Word, message: str) -> Diagnostic:
    return Diagnostic(Severity.ERROR, Place(line.number, word.column), message, line.text)
