"""Inspect maps, while they are being read (asa.md §2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from appliance.config.diagnostics import INVALID
from appliance.config.names import description
from appliance.config.statements.regexes import Regexes
from appliance.config.syntax import NO_DESCRIPTION, UNDOES, Mode, Statement, both
from appliance.policy.counters import MATCHES
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import Banner, Deed, Expression, InspectMap, MailRelay, Match, Parameters, Reaction
from appliance.policy.matches import BY_KEY, CONDITIONS, FASTEST, LARGEST, SMALLEST, Condition, Operand, phrase

#: Policy maps of either type (asa.md §6.1).
POLICY_MAPS = 64


class InspectMaps(Regexes):
    """What has been read of them so far, and those the modes are in."""

    def __init__(self) -> None:
        super().__init__()
        self._inspect_maps: dict[str, InspectMap] = {}
        self._inspect_map = ""
        self._stated: dict[str, dict[str, Any]] = {}  # parameters, by map
        self._match: Match | None = None  # the line the action belongs to; its reaction doesn't count yet
        self._acted = True

    def inspect_maps(self) -> tuple[InspectMap, ...]:
        """The maps, with the patterns their match lines name; a name that nothing defines stands for none."""
        return tuple(
            replace(self._with_parameters(each), matches=tuple(self._resolved(match) for match in each.matches))
            for each in self._inspect_maps.values()
            if each.name != DEFAULT_MAP.name
        )

    def _with_parameters(self, inspect_map: InspectMap) -> InspectMap:
        """The map with what it states of parameters, and of the others what the version has."""
        stated = self._stated.get(inspect_map.name, {})
        return replace(inspect_map, parameters=replace(self.version.parameters, **stated))

    def _resolved(self, match: Match) -> Match:
        expression = match.expression
        if expression is None:
            return match
        names: tuple[str, ...] = (expression.name,)
        if expression.of_class:
            known = self.regex_classes.get(expression.name)
            names = known.regexes if known else ()
        patterns = tuple(self.regexes[name].pattern for name in names if name in self.regexes)
        return replace(match, expression=replace(expression, patterns=patterns))

    def inspect_map(self, name: str) -> None:
        self._room(name, self._inspect_maps, POLICY_MAPS, "inspect maps")
        self._inspect_map = name
        self._inspect_maps.setdefault(name, self.version.default_map if name == DEFAULT_MAP.name else InspectMap(name))

    def no_inspect_map(self, name: str) -> None:
        known = self._inspect_maps.pop(name, None)
        self._stated.pop(name, None)
        for each in known.matches if known else ():
            self.unsaid("condition", name, _plain(each))

    def no_inspect_map_description(self) -> None:
        self._change(description="")

    def no_parameters(self) -> None:
        """All of them as by default."""
        self._stated.pop(self._inspect_map, None)

    def inspect_map_description(self, text: str) -> None:
        self._change(description=text)

    def parameters(self) -> None:
        """``parameters``: only opens the mode."""

    def mask_banner(self, everything: str = "") -> None:
        default = self.version.parameters.banner
        if self._inspect_map == DEFAULT_MAP.name and not everything and default is Banner.ALL:
            # So a device prints the map it has, which masks them too.
            self.accepted_once("banner", f"WARNING: in {DEFAULT_MAP.name} mask-banner is mask-banner all")
            return
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
        known = self._stated.get(self._inspect_map, {}).get("mail_relay")
        if known is not None and domain.lower() in ("", known.domain.lower()):
            self._change_parameters(mail_relay=None)

    def special_character(self, deed: str, log: str = "") -> None:
        self._change_parameters(special_character=_reaction(deed, log))

    def no_special_character(self) -> None:
        self._change_parameters(special_character=None)

    def _change_parameters(self, **fields: Any) -> None:
        self._stated.setdefault(self._inspect_map, {}).update(fields)
        self._change()

    def _change(self, **fields: Any) -> None:
        """Change the map that is being read. The default one may be stated, as ``show running-config all`` does."""
        changed = replace(self._inspected(), **fields)
        default = self.version.default_map
        if changed.name == default.name and self._with_parameters(changed) != default:
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
        self._match = _match(key, negated, limit, words, regex, regex_class)
        self.said("condition", self._inspect_map, self._match)
        self._acted = False

    def no_match_line(self, key: str, **fields: Any) -> None:
        """The line goes, and its action."""
        gone = _match(key, **fields)
        self.unsaid("condition", self._inspect_map, gone)
        self.forgotten.add(self._line.number)
        self._change(matches=tuple(each for each in self._inspected().matches if _plain(each) != gone))

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


def _match(
    key: str,
    negated: str = "",
    limit: int = 0,
    words: tuple[str, ...] = (),
    regex: str = "",
    regex_class: str = "",
) -> Match:
    """A match line that has no action yet: it stands as one that logs."""
    named = regex or regex_class
    expression = Expression(named, of_class=bool(regex_class)) if named else None
    return Match(key, Reaction(Deed.LOG), limit, words, bool(negated), expression)


def _plain(match: Match) -> Match:
    """The line without its action."""
    return replace(match, reaction=Reaction(Deed.LOG))


def _acting(syntax: str, apply: Callable[..., None], says: str) -> tuple[Statement, ...]:
    """A parameter with the actions that it can have."""
    return (
        Statement(f"{syntax} <deed=drop-connection> [<log=log>]", apply, says=says),
        Statement(f"{syntax} <deed=log>", apply, says=says),
    )


PARAMETERS = (
    *both(
        "mask-banner [<everything=all>]",
        InspectMaps.mask_banner,
        InspectMaps.no_mask_banner,
        short="no mask-banner",
        says="the greeting becomes asterisks but for 2 and 0; all (ours): those too",
    ),
    *_acting("mail-relay <domain:domain> action", InspectMaps.mail_relay, "mail from outside is for this domain alone"),
    Statement("no mail-relay [<domain:domain>]", InspectMaps.no_mail_relay, says=UNDOES),
    *_acting(
        "special-character action", InspectMaps.special_character, "back-quote and NUL in mail addresses are looked for"
    ),
    Statement("no special-character", InspectMaps.no_special_character, says=UNDOES),
    *both(
        "allow-tls [action <log=log>]",
        InspectMaps.allow_tls,
        InspectMaps.no_allow_tls,
        short="no allow-tls",
        says="STARTTLS passes, and what follows it is not inspected",
    ),
    *both(
        "smuggling-guard",
        InspectMaps.smuggling_guard,
        InspectMaps.no_smuggling_guard,
        says="look-alikes of the end of data close the connection (ours, on unless undone)",
    ),
)

_CLOSING = "|".join(deed.value for deed in Deed if deed not in (Deed.LOG, Deed.RATE_LIMIT))

MATCH = (
    Statement(f"<deed={_CLOSING}> [<log=log>]", InspectMaps.react, says="the line above closes, resets or masks"),
    Statement("<deed=log>", InspectMaps.react, says="it only logs"),
    Statement(f"<deed=rate-limit> <rate:1-{FASTEST}>", InspectMaps.react, says="so many a second, the others wait"),
)


def _operands(row: Condition) -> tuple[str, ...]:
    match row.operand:
        case Operand.NUMBER:
            return (f"gt <limit:{SMALLEST}-{LARGEST}>",)
        case Operand.WORDS:
            return (f"<words+{'|'.join(row.words)}>",)
        case Operand.REGEX:
            return ("regex <regex:regex>", "regex class <regex_class:regex-class>")


def _condition(row: Condition) -> Iterator[Statement]:
    """``match [not] …`` of a row of the one table."""
    for operand in _operands(row):
        yield from both(
            f"match [<negated=not>] {row.phrase} {operand}",
            partial(InspectMaps.condition, key=row.key),
            partial(InspectMaps.no_match_line, key=row.key),
            Mode.MATCH,
            says=row.summary,
        )


def _inspect_map() -> Iterator[Statement]:
    yield from both(
        "description <text:text>",
        InspectMaps.inspect_map_description,
        InspectMaps.no_inspect_map_description,
        short=NO_DESCRIPTION,
    )
    yield from both(
        "parameters", InspectMaps.parameters, InspectMaps.no_parameters, Mode.PARAMETERS, says="what is not a criterion"
    )
    for row in CONDITIONS:
        yield from _condition(row)


_BANNER = {Banner.OFF: "no mask-banner", Banner.KEEP_2_AND_0: "mask-banner", Banner.ALL: "mask-banner all"}


def inspect_map_lines(inspect_map: InspectMap, default: Parameters, everything: bool) -> Iterator[str]:
    """``policy-map type inspect esmtp …``, of its parameters those that are not `default`."""
    yield f"policy-map type inspect esmtp {inspect_map.name}"
    yield from description(inspect_map.description)
    parameters = list(_parameters(inspect_map.parameters, default, everything))
    if parameters:
        yield " parameters"
        yield from (f"  {each}" for each in parameters)
    for match in inspect_map.matches:
        yield f" match {phrase(match)}"
        yield f"  {match.reaction}"


def _parameters(parameters: Parameters, default: Parameters, everything: bool) -> Iterable[str]:
    relay, special = parameters.mail_relay, parameters.special_character
    if everything or parameters.banner is not default.banner:
        yield _BANNER[parameters.banner]
    if relay is not None:
        yield f"mail-relay {relay.domain} action {relay.reaction}"
    elif everything:
        yield "no mail-relay"
    if special is not None:
        yield f"special-character action {special}"
    elif everything:
        yield "no special-character"
    if parameters.allow_tls:
        if everything or parameters.allow_tls_log or not default.allow_tls:
            yield "allow-tls action log" if parameters.allow_tls_log else "allow-tls"
    elif everything or default.allow_tls:
        yield "no allow-tls"
    if not parameters.smuggling_guard:
        yield "no smuggling-guard"


STATEMENTS = {
    Mode.CONFIGURE: (
        *both(
            "policy-map type inspect esmtp <name:map-name>",
            InspectMaps.inspect_map,
            InspectMaps.no_inspect_map,
            Mode.INSPECT_MAP,
            says="the rules of an inspection; see docs/inspection.md",
        ),
    ),
    Mode.INSPECT_MAP: tuple(_inspect_map()),
    Mode.MATCH: MATCH,
    Mode.PARAMETERS: PARAMETERS,
}
