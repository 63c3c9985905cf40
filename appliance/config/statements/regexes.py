"""Regexes and their classes, while they are being read (asa.md §2.6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from appliance.config.names import description
from appliance.config.statements.sheet import Sheet
from appliance.config.syntax import NO_DESCRIPTION, Mode, both
from appliance.policy.regex import Regex, RegexClass

#: Regexes, and regex classes: what the compiled ones may take at most stays under 64 MiB (`policy.regex.MEMORY`).
REGEXES = 255

_RESERVED = "ERROR: a regex can't be called class: match would take it for the keyword"


class Regexes(Sheet):
    """The regexes and their classes by name, and the class the mode is in."""

    def __init__(self) -> None:
        super().__init__()
        self.regexes: dict[str, Regex] = {}
        self.regex_classes: dict[str, RegexClass] = {}
        self._regex_class = ""

    def regex(self, name: str, pattern: str) -> None:
        if name.lower() == "class":
            raise self.rejected("name", _RESERVED)
        self._room(name, self.regexes, REGEXES, "regexes")
        self.regexes[name] = Regex(name, pattern)

    def regex_class(self, name: str) -> None:
        self._room(name, self.regex_classes, REGEXES, "regex classes")
        self._regex_class = name
        self.regex_classes.setdefault(name, RegexClass(name))

    def no_regex(self, name: str, pattern: str = "") -> None:
        del pattern
        self.regexes.pop(name, None)

    def no_regex_class(self, name: str) -> None:
        known = self.regex_classes.pop(name, None)
        for each in known.regexes if known else ():
            self.unsaid("regex", name, each)

    def no_regex_class_description(self) -> None:
        self.regex_classes[self._regex_class] = replace(self.regex_classes[self._regex_class], description="")

    def regex_class_description(self, text: str) -> None:
        self.regex_classes[self._regex_class] = replace(self.regex_classes[self._regex_class], description=text)

    def match_regex(self, regex: str) -> None:
        known = self.regex_classes[self._regex_class]
        if regex not in known.regexes:
            if len(known.regexes) >= REGEXES:
                raise self.rejected("regex", f"ERROR: at most {REGEXES} regexes in a class")
            self.regex_classes[known.name] = replace(known, regexes=(*known.regexes, regex))
            self.said("regex", known.name, regex)

    def no_match_regex(self, regex: str) -> None:
        known = self.regex_classes[self._regex_class]
        self.unsaid("regex", known.name, regex)
        self.forgotten.add(self._line.number)
        kept = tuple(each for each in known.regexes if each != regex)
        self.regex_classes[known.name] = replace(known, regexes=kept)


def regex_class_lines(regex_class: RegexClass) -> Iterator[str]:
    """``class-map type regex …`` and its regexes."""
    yield f"class-map type regex match-any {regex_class.name}"
    yield from description(regex_class.description)
    yield from (f" match regex {each}" for each in regex_class.regexes)
    yield "!"


STATEMENTS = {
    Mode.CONFIGURE: (
        *both(
            "regex <name:map-name> <pattern:pattern>",
            Regexes.regex,
            Regexes.no_regex,
            short="no regex <name:map-name> [<pattern:pattern>]",
            says="an expression by name",
        ),
        *both(
            "class-map type regex match-any <name:map-name>",
            Regexes.regex_class,
            Regexes.no_regex_class,
            Mode.REGEX_CLASS,
            says="several by one name",
        ),
    ),
    Mode.REGEX_CLASS: (
        *both(
            "description <text:text>",
            Regexes.regex_class_description,
            Regexes.no_regex_class_description,
            short=NO_DESCRIPTION,
        ),
        *both("match regex <regex:regex>", Regexes.match_regex, Regexes.no_match_regex, says="one of them"),
    ),
}
