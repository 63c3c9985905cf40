"""The one table, and the default map that is made of it."""

import pytest

from appliance.policy.counters import BLOCK, MATCHES, MATCHES_BASE, OF_ODDITY, OF_RULE, Slot
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import Deed, Match, Reaction
from appliance.policy.matches import BY_KEY, CONDITIONS, LARGEST, SMALLEST, phrase

#: asa.md §2.8, without the words `match` and the indentation.
VERBATIM = """\
cmd line length gt 512
 drop-connection log
cmd RCPT count gt 100
 drop-connection log
body line length gt 998
 log
header line length gt 998
 drop-connection log
sender-address length gt 320
 drop-connection log
MIME filename length gt 255
 drop-connection log
ehlo-reply-parameter others
 mask
"""


def test_the_default_map_is_asas():
    assert "".join(f"{phrase(each)}\n {each.reaction}\n" for each in DEFAULT_MAP.matches) == VERBATIM
    assert DEFAULT_MAP.name == "_default_esmtp_map"
    assert DEFAULT_MAP.description == "Default ESMTP policy-map"


def test_a_negated_phrase():
    match = Match("ehlo-reply-parameter", Reaction(Deed.MASK), words=("size", "dsn"), negated=True)
    assert phrase(match) == "not ehlo-reply-parameter size dsn"


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.key)
def test_a_row_is_consistent(condition):
    assert BY_KEY[condition.key] is condition
    assert condition.reaction.deed in condition.deeds
    if isinstance(condition.default, int):
        assert SMALLEST <= condition.default <= LARGEST
        assert not condition.words
    else:
        assert set(condition.default) <= set(condition.words)


def test_every_oddity_and_rule_has_a_slot_of_its_own():
    slots = [*OF_ODDITY.values(), *OF_RULE.values()]
    assert len(slots) == len(set(slots))
    assert max(Slot) < MATCHES_BASE
    assert BLOCK == MATCHES_BASE + MATCHES
    assert Slot.EARLY_DATA.label == "early-data"
