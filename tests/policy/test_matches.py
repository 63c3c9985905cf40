"""The one table, and the default map that is made of it."""

import pytest

from appliance.policy.counters import BLOCK, MATCHES, MATCHES_BASE, OF_ODDITY, OF_RULE, Slot
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import Deed, Expression, Match, Reaction
from appliance.policy.matches import BY_KEY, CONDITIONS, LARGEST, SMALLEST, Operand, phrase

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
    assert condition.summary
    if isinstance(condition.default, int):
        assert condition.operand is Operand.NUMBER
        assert SMALLEST <= condition.default <= LARGEST
    elif condition.default is not None:
        assert set(condition.default) <= set(condition.words)


#: asa.md §2.3, with what stands behind each phrase.
CRITERIA = """\
cmd line length gt
cmd RCPT count gt
cmd verb
body length gt
body line length gt
header length gt
header line length gt
header to-fields count gt
sender-address length gt
sender-address regex
invalid-recipients count gt
MIME filename length gt
MIME encoding
MIME filetype regex
ehlo-reply-parameter
"""


def test_every_criterion_of_asas_is_a_row():
    behind = {Operand.NUMBER: " gt", Operand.WORDS: "", Operand.REGEX: " regex"}
    assert "".join(f"{each.phrase}{behind[each.operand]}\n" for each in CONDITIONS) == CRITERIA


def test_what_is_legal_where():
    """asa.md §2.4: every criterion closes, resets and logs; two mask, one limits a rate."""
    for each in CONDITIONS:
        assert {Deed.DROP_CONNECTION, Deed.RESET, Deed.LOG} <= each.deeds
        assert (Deed.MASK in each.deeds) == (each.key in ("cmd-verb", "ehlo-reply-parameter"))
        assert (Deed.RATE_LIMIT in each.deeds) == (each.key == "cmd-verb")


VERBS = "AUTH DATA EHLO ETRN HELO HELP MAIL NOOP QUIT RCPT RSET SAML SEND SOML VRFY"
PARAMETERS = "8bitmime auth binarymime checkpoint dsn ecode etrn others pipelining size vrfy"


def test_the_words_are_asas():
    assert BY_KEY["cmd-verb"].words == tuple(VERBS.split())
    assert BY_KEY["mime-encoding"].words == ("7bit", "8bit", "base64", "binary", "others", "quoted-printable")
    assert BY_KEY["ehlo-reply-parameter"].words == tuple(PARAMETERS.split())


@pytest.mark.parametrize(
    ("match", "text"),
    [
        (Match("cmd-verb", Reaction(Deed.LOG), words=("NOOP", "VRFY")), "cmd verb NOOP VRFY"),
        (Match("body-length", Reaction(Deed.LOG), limit=7, negated=True), "not body length gt 7"),
        (Match("sender-address", Reaction(Deed.LOG), expression=Expression("r")), "sender-address regex r"),
        (Match("mime-filetype", Reaction(Deed.LOG), expression=Expression("c", True)), "MIME filetype regex class c"),
    ],
)
def test_phrases(match, text):
    assert phrase(match) == text


def test_every_oddity_and_rule_has_a_slot_of_its_own():
    slots = [*OF_ODDITY.values(), *OF_RULE.values()]
    assert len(slots) == len(set(slots))
    assert max(Slot) < MATCHES_BASE
    assert BLOCK == MATCHES_BASE + MATCHES
    assert Slot.EARLY_DATA.label == "early-data"
