"""What the statements of translation come to: rules in the order they are asked, those up to 8.2 first."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network

from appliance.config import early_rules, object_rules
from appliance.config.config import Config
from appliance.config.elements import Elements
from appliance.flow import Endpoint
from appliance.nat.translation import Kind, Pool, Translation
from appliance.policy.acl import ANY


def translations(config: Config) -> tuple[Translation, ...]:
    """The rules of `config`, first match first. What a name that is not defined would mean is left out."""
    elements = Elements(config)
    return *early_rules.rules(config, elements), *object_rules.rules(config, elements)


def is_static(rule: Translation) -> bool:
    """Whether a rule translates a host, or one port of it, the same way whoever is at the other end."""
    named = rule.real_interface is not None and rule.mapped_interface is not None
    always = rule.kind is not Kind.DYNAMIC and rule.far is None and not rule.one_way
    return named and always and rule.real.prefixlen >= 24


class Chosen:
    """Whose address or port is decided as they connect, by a pool, PAT, policy NAT, or an exemption from their static:
    from where, calling whom."""

    def __init__(self, rules: Sequence[Translation]) -> None:
        self._found: set[tuple[str | None, str | None, IPv4Network]] = set()
        for each in rules:
            far = each.far
            peers = far.real if far else ANY
            if each.kind is Kind.NONE and not is_static(each):
                self._found |= {(*way, peers) for way in _exempted(each, rules)}
            elif not is_static(each):
                self._found.add((each.real_interface, each.mapped_interface, peers))
                if far and far.mapped != far.real:
                    self._found.add((each.mapped_interface, each.real_interface, each.real))

    def calling(self, server: IPv4Address, there: str, here: str) -> bool:
        """Whether some of those behind `here` do who call a server, by its real address, that is behind `there`."""
        if not self._found:
            return False
        networks = (IPv4Network((server, length), strict=False) for length in range(33))
        places = itertools.product((here, None), (there, None), networks)
        return not self._found.isdisjoint(places)


def _exempted(exemption: Translation, rules: Iterable[Translation]) -> Iterator[tuple[str | None, str | None]]:
    """From where to where an exemption is for somebody whom a static translates."""
    for each in rules:
        if each.kind is Kind.STATIC and each.real.overlaps(exemption.real):
            here, there = each.real_interface, each.mapped_interface
            if exemption.real_interface in (None, here) and exemption.mapped_interface in (None, there):
                yield here, there


class Kept:
    """Who keeps its address on the way to whom: exemptions (``nat 0`` and identity) that are asked before a static."""

    def __init__(self, rules: Iterable[Translation]) -> None:
        self._place: dict[int, int] = {}
        # By masks and addresses as numbers: each connection that such a host opens asks for all pairs of masks.
        self._found: dict[tuple[int, int], dict[tuple[int, int], list[tuple[int, Translation]]]] = {}
        for place, each in enumerate(rules):
            self._place.setdefault(each.line, place)
            if each.kind is Kind.NONE and not is_static(each):
                ends = each.real, each.far.real if each.far else ANY
                client, server = (int(end.netmask) for end in ends)
                one, other = (int(end.network_address) for end in ends)
                self._found.setdefault((client, server), {}).setdefault((one, other), []).append((place, each))

    def by(self, client: Endpoint, server: Endpoint, line: int) -> bool:
        """Whether `client`, whose static is in `line`, is known to `server` by its own address; real ones, both."""
        before = self._place.get(line, 0)
        one, other = int(client.address), int(server.address)
        return any(
            place < before and _is_between(each, client, server)
            for (client_mask, server_mask), found in self._found.items()
            for place, each in found.get((one & client_mask, other & server_mask), ())
        )


def _is_between(rule: Translation, client: Endpoint, server: Endpoint) -> bool:
    """Whether a rule is for these interfaces, and for TCP to this port."""
    far = rule.far
    asked = rule.real_interface in (None, client.interface) and rule.mapped_interface in (None, server.interface)
    asked = asked and (far is None or far.protocol in ("", "ip", "tcp", "6"))
    return asked and (far is None or far.ports is None or far.ports[0] <= server.port <= far.ports[1])


def covering(rules: Sequence[Translation]) -> dict[Translation, Translation]:
    """The rules of ports that nothing comes to, each with the rule before it that translates its whole address."""
    found: dict[Translation, Translation] = {}
    wholes: dict[tuple[str | None, IPv4Network], Translation] = {}
    for each in rules:
        if isinstance(each.mapped, Pool):
            continue
        if each.whole:
            wholes.setdefault((each.mapped_interface, each.mapped), each)
        elif each.kind is not Kind.DYNAMIC and each.ports is not None and not each.one_way:
            networks = (each.mapped.supernet(new_prefix=length) for length in range(each.mapped.prefixlen, 0, -1))
            places = itertools.product((each.mapped_interface, None), networks)
            before = next((whole for place in places if (whole := wholes.get(place))), None)
            if before is not None:
                found[each] = before
    return found
