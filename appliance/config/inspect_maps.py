"""Inspect maps and the regexes they name, while they are being read: the half of `draft` that is about mail.

Source: asa.md §2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from appliance.config.diagnostics import INVALID
from appliance.config.sheet import Sheet
from appliance.policy.counters import MATCHES
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import Banner, Deed, Expression, InspectMap, MailRelay, Match, Reaction
from appliance.policy.matches import BY_KEY
from appliance.policy.regex import Regex, RegexClass

#: Policy maps of either type (asa.md §6.1).
POLICY_MAPS = 64
#: Regexes, and regex classes: what the compiled ones may take at most stays under 64 MiB (`policy.regex.MEMORY`).
REGEXES = 255

_RESERVED = "ERROR: a regex can't be called class: match would take it for the keyword"


class InspectMaps(Sheet):
    """What has been read of them so far, and those the modes are in."""

    def __init__(self) -> None:
        super().__init__()
        self._regexes: dict[str, Regex] = {}
        self._regex_classes: dict[str, RegexClass] = {}
        self._inspect_maps: dict[str, InspectMap] = {}
        self._regex_class = ""
        self._inspect_map = ""
        self._match: Match | None = None  # the line the action belongs to; its reaction doesn't count yet
        self._acted = True

    def inspect_maps(self) -> tuple[InspectMap, ...]:
        """The maps, with the patterns their match lines name; a name that nothing defines stands for none."""
        return tuple(
            replace(each, matches=tuple(self._resolved(match) for match in each.matches))
            for each in self._inspect_maps.values()
            if each.name != DEFAULT_MAP.name
        )

    def _resolved(self, match: Match) -> Match:
        expression = match.expression
        if expression is None:
            return match
        names: tuple[str, ...] = (expression.name,)
        if expression.of_class:
            known = self._regex_classes.get(expression.name)
            names = known.regexes if known else ()
        patterns = tuple(self._regexes[name].pattern for name in names if name in self._regexes)
        return replace(match, expression=replace(expression, patterns=patterns))

    # -- regexes

    def regex(self, name: str, pattern: str) -> None:
        if name.lower() == "class":
            raise self.rejected("name", _RESERVED)
        self._room(name, self._regexes, REGEXES, "regexes")
        self._regexes[name] = Regex(name, pattern)

    def regex_class(self, name: str) -> None:
        self._room(name, self._regex_classes, REGEXES, "regex classes")
        self._regex_class = name
        self._regex_classes.setdefault(name, RegexClass(name))

    def regex_class_description(self, text: str) -> None:
        self._regex_classes[self._regex_class] = replace(self._regex_classes[self._regex_class], description=text)

    def match_regex(self, regex: str) -> None:
        known = self._regex_classes[self._regex_class]
        if regex not in known.regexes:
            if len(known.regexes) >= REGEXES:
                raise self.rejected("regex", f"ERROR: at most {REGEXES} regexes in a class")
            self._regex_classes[known.name] = replace(known, regexes=(*known.regexes, regex))

    # -- inspect maps

    def inspect_map(self, name: str) -> None:
        self._room(name, self._inspect_maps, POLICY_MAPS, "inspect maps")
        self._inspect_map = name
        self._inspect_maps.setdefault(name, DEFAULT_MAP if name == DEFAULT_MAP.name else InspectMap(name))

    def inspect_map_description(self, text: str) -> None:
        self._change(description=text)

    def parameters(self) -> None:
        """``parameters``: only opens the mode."""

    def mask_banner(self, everything: str = "") -> None:
        self._change_parameters(banner=Banner.ALL if everything else Banner.KEEP_2_AND_0)

    def no_mask_banner(self) -> None:
        self._change_parameters(banner=Banner.OFF)

    def smuggling_guard(self) -> None:
        self._change_parameters(smuggling_guard=True)

    def no_smuggling_guard(self) -> None:
        self._change_parameters(smuggling_guard=False)

    def allow_tls(self, log: str = "") -> None:
        self._change_parameters(allow_tls=True, allow_tls_log=bool(log))

    def no_allow_tls(self) -> None:
        self._change_parameters(allow_tls=False, allow_tls_log=False)

    def mail_relay(self, domain: str, deed: str, log: str = "") -> None:
        self._change_parameters(mail_relay=MailRelay(domain, _reaction(deed, log)))

    def no_mail_relay(self, domain: str = "") -> None:
        known = self._inspected().parameters.mail_relay
        if known is not None and domain.lower() in ("", known.domain.lower()):
            self._change_parameters(mail_relay=None)

    def special_character(self, deed: str, log: str = "") -> None:
        self._change_parameters(special_character=_reaction(deed, log))

    def no_special_character(self) -> None:
        self._change_parameters(special_character=None)

    def _change_parameters(self, **fields: Any) -> None:
        self._change(parameters=replace(self._inspected().parameters, **fields))

    def _change(self, **fields: Any) -> None:
        """Change the map that is being read. The default one may be stated, as ``show running-config all`` does."""
        changed = replace(self._inspected(), **fields)
        if changed.name == DEFAULT_MAP.name and changed != DEFAULT_MAP:
            raise self.rejected("", f"ERROR: policy-map {changed.name} is the default one and can't be changed")
        self._inspect_maps[changed.name] = changed

    def condition(
        self,
        key: str,
        negated: str = "",
        limit: int = 0,
        words: tuple[str, ...] = (),
        regex: str = "",
        regex_class: str = "",
    ) -> None:
        """``match …`` of the row `key`; it counts once its action line has come."""
        if len(self._inspected().matches) >= MATCHES:
            raise self.rejected("", f"ERROR: an inspect map has at most {MATCHES} match lines")
        named = regex or regex_class
        expression = Expression(named, of_class=bool(regex_class)) if named else None
        self._match = Match(key, Reaction(Deed.LOG), limit, words, bool(negated), expression)
        self._acted = False

    def react(self, deed: str, log: str = "", rate: int = 0) -> None:
        """The action line under a match; a second one takes the first one's place."""
        if self._match is None:
            return  # the match line was in error: its action belongs to nothing
        self._acted = True
        chosen = replace(_reaction(deed, log), rate=rate)
        if chosen.deed not in BY_KEY[self._match.condition].deeds:
            raise self.rejected("deed", INVALID)
        match = replace(self._match, reaction=chosen)
        known = self._inspected()
        same = [replace(each, reaction=match.reaction) == match for each in known.matches]
        kept = tuple(match if equal else each for equal, each in zip(same, known.matches, strict=True))
        self._change(matches=kept if any(same) else (*kept, match))

    def no_condition(self) -> None:
        """The match line is over, or could not be read."""
        self._match, self._acted = None, True

    @property
    def match_waits(self) -> bool:
        """A match line still has no action."""
        return not self._acted

    def _inspected(self) -> InspectMap:
        return self._inspect_maps[self._inspect_map]


def _reaction(deed: str, log: str) -> Reaction:
    """What an action's words say; the bare ``log`` logs."""
    chosen = Deed(deed)
    return Reaction(chosen, bool(log) or chosen is Deed.LOG)
