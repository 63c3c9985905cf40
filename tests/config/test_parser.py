"""Modes: what opens one, what leaves it, and what one mistake costs."""

import pytest

from appliance.config.config import Config
from appliance.config.diagnostics import Severity
from appliance.config.parser import Parsed, parse
from appliance.policy.maps import Deed, ExemptEsmtp, InspectEsmtp


def config(text: str) -> Config:
    parsed = parse(text)
    assert not parsed.diagnostics, parsed.diagnostics
    return parsed.config


def errors(text: str) -> list[tuple[int, int]]:
    return [(each.place.line, each.place.column) for each in parse(text).diagnostics]


def test_a_statement_of_an_outer_mode_leaves_the_inner_ones() -> None:
    found = config("policy-map P\n class A\n  inspect esmtp\n class B\n  no inspect esmtp\nhostname x\n")
    (policy,) = found.policy_maps
    assert [each.inspect for each in policy.classes] == [InspectEsmtp(), ExemptEsmtp()]
    assert found.hostname == "x"


def test_indentation_means_nothing() -> None:
    assert config("class-map C\nmatch any\n") == config("   class-map C\n          match any\n")


def test_exit_leaves_one_mode() -> None:
    assert errors("interface E\nexit\nshutdown\n") == [(3, 1)]
    assert (
        config("policy-map P\nclass A\nexit\ndescription d\nexit\nexit\nhostname x\n").policy_maps[0].description == "d"
    )


def test_a_mode_opened_again_goes_on_where_it_was() -> None:
    found = config(
        "policy-map P\nclass A\ninspect esmtp\npolicy-map Q\npolicy-map P\nclass B\nclass A\nno inspect esmtp\n"
    )
    assert [each.name for each in found.policy_maps] == ["P", "Q"]
    assert [(each.name, each.inspect) for each in found.policy_maps[0].classes] == [("A", None), ("B", None)]


def test_names_heed_case_and_keywords_do_not() -> None:
    assert len(config("CLASS-MAP a\nClass-Map A\n").class_maps) == 2


def test_the_statement_that_fails_furthest_to_the_right_is_the_one_meant() -> None:
    # `match` is known inside the class map only, `hostname` outside only.
    assert errors("class-map C\n match port tcp eq\n") == [(2, 19)]
    assert errors("class-map C\n hostname\n") == [(2, 10)]


def test_what_a_statement_in_error_would_have_opened_is_read_but_not_done() -> None:
    text = "class-map\n match any\n match nonsense\nhostname x\n"
    assert errors(text) == [(1, 10), (3, 8)]
    assert parse(text).config == Config(hostname="x")


def test_a_refused_definition_changes_nothing_else() -> None:
    parsed: Parsed = parse("class-map C\n match any\nclass-map class-default\n match default-inspection-traffic\n")
    assert [(each.place.line, each.place.column) for each in parsed.diagnostics] == [(3, 11)]
    assert parsed.config == config("class-map C\n match any\n")


def test_a_match_line_waits_for_its_action() -> None:
    head = "policy-map type inspect esmtp M\n match cmd line length gt 5\n"
    assert errors(head) == [(2, 28)]
    assert errors(head + " match body line length gt 5\n  log\n") == [(2, 28)]
    assert errors(head + "  mask\n") == [(3, 3)]
    (match,) = config(head + "  reset log\n").inspect_maps[0].matches
    assert match.reaction.deed is Deed.RESET
    assert match.reaction.log


def test_an_action_line_written_twice_is_the_second_and_a_match_line_too() -> None:
    head = "policy-map type inspect esmtp M\n match cmd line length gt 5\n  log\n"
    (match,) = config(head + "  reset\n").inspect_maps[0].matches
    assert str(match.reaction) == "reset"
    (match,) = config(head + " match cmd line length gt 5\n  drop-connection log\n").inspect_maps[0].matches
    assert str(match.reaction) == "drop-connection log"


@pytest.mark.parametrize(
    ("head", "inner"),
    [
        ("crypto ca trustpoint X", "enrollment self"),
        ("ddns update method M", "interval maximum 0 4 0 0"),
        ("zone Z", ""),
        ("cts server-group G", ""),
        ("dhcprelay server 192.0.2.9 inside", ""),
    ],
)
def test_what_a_block_would_keep_stands_outside_it_where_it_is_not_set_in(head: str, inner: str) -> None:
    parsed = parse(f"interface E\n description the world\n{head}\n" + (f" {inner}\n" if inner else ""))
    assert [each for each in parsed.diagnostics if each.severity is Severity.ERROR] == []
    assert [(each.text, each.block) for each in parsed.config.accepted] == [(head, (f" {inner}",) if inner else ())]
    assert parse(f"interface E\n {head}\n").config.interfaces[0].accepted == (head,)
