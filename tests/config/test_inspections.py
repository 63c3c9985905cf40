"""The order in which classes are asked, and their numbers."""

from appliance.config.inspections import inspections
from appliance.config.load import load
from appliance.policy.defaults import DEFAULT_MAP

HEAD = """interface E0
 hardware outside0
 nameif outside
interface E1
 hardware inside0
 nameif inside
class-map a
 match any
class-map b
 match any
policy-map type inspect esmtp M
"""


def found(text: str) -> list[tuple[str, int, str | None]]:
    loaded = load(HEAD + text)
    assert loaded.config is not None, loaded.diagnostics
    return [(each.class_map.name, each.number, each.interface) for each in inspections(loaded.config)]


def test_an_exemption_comes_first_whatever_its_place() -> None:
    text = "policy-map P\n class a\n  inspect esmtp\n class b\n  no inspect esmtp\nservice-policy P global\n"
    assert found(text) == [("b", 0, None), ("a", 1, None)]


def test_an_interface_policy_is_asked_before_the_global_one_and_numbered_behind_it() -> None:
    text = (
        "policy-map I\n class a\n  inspect esmtp M\npolicy-map G\n class a\n class b\n  inspect esmtp\n"
        "service-policy I interface outside\nservice-policy G global\n"
    )
    assert found(text) == [("a", 2, "outside"), ("class-default", 0, "outside"), ("b", 1, None)]


def test_an_interface_policy_that_inspects_nothing_leaves_the_global_one_as_it_is() -> None:
    text = (
        "policy-map I\n class a\n  set connection conn-max 5\npolicy-map G\n class b\n  inspect esmtp\n"
        "service-policy I interface outside\nservice-policy G global\n"
    )
    assert found(text) == [("b", 1, None)]


def test_an_exempt_class_default_is_what_the_others_leave() -> None:
    text = (
        "policy-map I\n class class-default\n  no inspect esmtp\n class a\n  inspect esmtp\n"
        "policy-map G\n class b\n  inspect esmtp\nservice-policy G global\nservice-policy I interface outside\n"
    )
    assert found(text) == [("a", 2, "outside"), ("class-default", 0, "outside"), ("b", 1, None)]


def test_mail_relay_is_for_mail_from_outside() -> None:
    relay = "policy-map type inspect esmtp M\n parameters\n  mail-relay example.com action log\n"
    config = load(HEAD + relay + "policy-map P\n class a\n  inspect esmtp M\nservice-policy P global\n").config
    assert config is not None
    (inspection,) = inspections(config)
    outbound = inspection.rules("inside", "outside")
    assert inspection.rules("outside", "inside") == inspection.inspect_map == inspection.rules("outside", "unknown")
    assert inspection.inspect_map is not None
    assert inspection.inspect_map.parameters.mail_relay is not None
    assert outbound is not None
    assert outbound.parameters.mail_relay is None
    assert inspection.rules("inside", "inside") == outbound


def test_an_exemption_has_no_rules() -> None:
    text = "policy-map P\n class a\n  no inspect esmtp\nservice-policy P global\n"
    config = load(HEAD + text).config
    assert config is not None
    assert inspections(config)[0].rules("inside", "outside") is None


def test_a_policy_that_is_applied_nowhere_inspects_nothing() -> None:
    assert found("policy-map P\n class a\n  inspect esmtp\n") == []


def test_no_map_and_the_default_maps_own_name_are_the_same() -> None:
    for name in ("", " _default_esmtp_map"):
        config = load(HEAD + f"policy-map P\n class a\n  inspect esmtp{name}\nservice-policy P global\n").config
        assert config is not None
        assert inspections(config)[0].inspect_map == DEFAULT_MAP
