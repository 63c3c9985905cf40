"""What the statements of translation come to: rules in the order they are asked, those up to 8.2 first."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from ipaddress import IPv4Network

from appliance.config import early_rules, object_rules
from appliance.config.config import Config
from appliance.config.elements import Elements
from appliance.nat.translation import Kind, Pool, Translation


def translations(config: Config) -> tuple[Translation, ...]:
    """The rules of `config`, first match first. What a name that is not defined would mean is left out."""
    elements = Elements(config)
    return *early_rules.rules(config, elements), *object_rules.rules(config, elements)


def is_static(rule: Translation) -> bool:
    """Whether a rule translates a host, or one port of it, the same way whoever is at the other end."""
    named = rule.real_interface is not None and rule.mapped_interface is not None
    always = rule.kind is not Kind.DYNAMIC and rule.far is None and not rule.one_way
    return named and always and rule.real.prefixlen >= 24


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
