"""Class maps, while they are being read (asa.md §6.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, assert_never

from appliance.config.diagnostics import INVALID
from appliance.config.names import description, ports_text
from appliance.config.statements.sheet import Sheet
from appliance.config.syntax import NO_DESCRIPTION, Mode, Statement, both
from appliance.policy.acl import Ports
from appliance.policy.maps import (
    CLASS_DEFAULT,
    ClassMap,
    ClassMatch,
    MatchAccessList,
    MatchAny,
    MatchDefaultInspectionTraffic,
    MatchOther,
    MatchPort,
)

#: Class maps (asa.md §6.1).
CLASS_MAPS = 255

_SECOND_MATCH = (
    "ERROR: Multiple match commands are not supported except for the "
    "'match tunnel-group or default-inspect-traffic' command."
)


class ClassMaps(Sheet):
    """The class maps by name, and the one the mode is in."""

    def __init__(self) -> None:
        super().__init__()
        self.class_maps: dict[str, ClassMap] = {}
        self._class_map = ""

    def class_map(self, name: str) -> None:
        if name == CLASS_DEFAULT.name:
            raise self.rejected("name", f"ERROR: % class-map {name} is reserved")
        self._room(name, self.class_maps, CLASS_MAPS, "class maps")
        self._class_map = name
        self.class_maps.setdefault(name, ClassMap(name, None, line=self._line.number))

    def class_map_description(self, text: str) -> None:
        self._change_class_map(description=text)

    def no_class_map_description(self) -> None:
        self._change_class_map(description="")

    def _change_class_map(self, **fields: Any) -> None:
        self.class_maps[self._class_map] = replace(self.class_maps[self._class_map], **fields)

    def match_any(self) -> None:
        self._match_class(MatchAny())

    def match_access_list(self, acl: str) -> None:
        if isinstance(self.class_maps[self._class_map].match, MatchDefaultInspectionTraffic):
            self._match_class(MatchDefaultInspectionTraffic(acl))
        else:
            self._match_class(MatchAccessList(acl))

    def match_address(self, acl: str) -> None:
        """``match address``, the seed's spelling (row 18)."""
        column = self._line.words[1].column
        self.warnings.append((column, f"WARNING: match address is taken as match access-list {acl}"))
        self.match_access_list(acl)

    def match_port(self, protocol: str, ports: Ports) -> None:
        if ports.operator not in ("eq", "range"):
            raise self.rejected("ports", INVALID)
        self._match_class(MatchPort(protocol, ports))

    def match_default_inspection_traffic(self) -> None:
        known = self.class_maps[self._class_map].match
        listed = known.name if isinstance(known, MatchAccessList) else ""
        if listed:
            self._change_class_map(match=None)
        self._match_class(MatchDefaultInspectionTraffic(listed))

    def match_other(self) -> None:
        text = self.accepted_once("match", "WARNING: accepted, not acted on: the class matches nothing")
        known = self.class_maps[self._class_map].match
        texts = known.texts if isinstance(known, MatchOther) else ()
        if isinstance(known, MatchOther):
            self._change_class_map(match=None)
        self._match_class(MatchOther(tuple(dict.fromkeys((*texts, text)))))

    def _match_class(self, match: ClassMatch) -> None:
        known = self.class_maps[self._class_map].match
        plain = MatchDefaultInspectionTraffic()
        if known not in (None, match) and not (known == plain and isinstance(match, MatchDefaultInspectionTraffic)):
            raise self.rejected("", _SECOND_MATCH)
        self.said("match", self._class_map)
        self._change_class_map(match=match)

    def no_match(self, **fields: Any) -> None:
        """A class map has one match: it goes, whichever is named."""
        del fields
        self.unsaid("match", self._class_map)
        self.forgotten.add(self._line.number)
        self._change_class_map(match=None)


def class_map_lines(class_map: ClassMap) -> Iterator[str]:
    """``class-map …`` and what it matches."""
    yield f"class-map {class_map.name}"
    yield from description(class_map.description)
    match class_map.match:
        case MatchAny():
            yield " match any"
        case MatchAccessList(name=name):
            yield f" match access-list {name}"
        case MatchPort(protocol=protocol, ports=ports):
            yield f" match port {protocol} {ports_text(protocol, ports)}"
        case MatchDefaultInspectionTraffic(access_list=name):
            yield " match default-inspection-traffic"
            if name:
                yield f" match access-list {name}"
        case MatchOther(texts=texts):
            yield from (f" {each}" for each in texts)
        case None:
            pass
        case other:
            assert_never(other)
    yield "!"


STATEMENTS = {
    Mode.CONFIGURE: (
        Statement("class-map <name:map-name>", ClassMaps.class_map, Mode.CLASS_MAP, says="which traffic"),
    ),
    Mode.CLASS_MAP: (
        *both(
            "description <text:text>",
            ClassMaps.class_map_description,
            ClassMaps.no_class_map_description,
            short=NO_DESCRIPTION,
        ),
        *both("match any", ClassMaps.match_any, ClassMaps.no_match, says="everything"),
        *both(
            "match access-list <acl:access-list>",
            ClassMaps.match_access_list,
            ClassMaps.no_match,
            says="what it permits; a deny ends the class, not the search",
        ),
        Statement("match address <acl:access-list>", ClassMaps.match_address, says="the same (row 18)"),
        *both(
            "match port <protocol=tcp> <ports:tcp-operator>",
            ClassMaps.match_port,
            ClassMaps.no_match,
            says="eq or range",
        ),
        *both(
            "match port <protocol=udp> <ports:udp-operator>",
            ClassMaps.match_port,
            ClassMaps.no_match,
            says="eq or range",
        ),
        *both(
            "match default-inspection-traffic",
            ClassMaps.match_default_inspection_traffic,
            ClassMaps.no_match,
            says="TCP port 25; with an access list of those addresses alone",
        ),
        *both(
            "match <_=dscp|flow|precedence|qos-group|rtp|tunnel-group|vlan> <_:rest>",
            ClassMaps.match_other,
            ClassMaps.no_match,
            says="accepted; the class matches nothing",
        ),
    ),
}
