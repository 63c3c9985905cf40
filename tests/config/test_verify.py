"""What the golden errors don't show: what `verify` lets stand, and where it points."""

from appliance.config.diagnostics import Severity
from appliance.config.load import load
from appliance.marks import CLASS


def interfaces(*nameifs: str) -> str:
    return "".join(f"interface {each}\n hardware {each}0\n nameif {each}\n" for each in nameifs)


def errors(text: str) -> list[tuple[int, int]]:
    found = load(text).diagnostics
    return [(each.place.line, each.place.column) for each in found if each.severity is Severity.ERROR]


def test_the_same_address_may_be_translated_between_other_interfaces() -> None:
    text = interfaces("outside", "inside", "dmz")
    assert (
        errors(text + "static (inside,outside) 203.0.113.1 192.0.2.1\nstatic (inside,dmz) 203.0.113.1 192.0.2.1\n")
        == []
    )
    assert errors(text + "static (inside,outside) 203.0.113.1 192.0.2.1\n" * 2) == [(11, 1), (11, 1)]


def test_limits_that_can_never_bite_are_no_error() -> None:
    text = interfaces("outside", "inside") + "static (inside,outside) 203.0.113.1 192.0.2.1 tcp 50 100\n"
    assert load(text).diagnostics == ()


def test_an_interface_policy_and_the_global_one_stand_together() -> None:
    text = interfaces("outside") + "policy-map P\nservice-policy P global\nservice-policy P interface outside\n"
    assert errors(text) == []
    assert errors(text + "policy-map Q\nservice-policy Q interface outside\n") == [(8, 16)]


def test_more_classes_than_the_mark_can_number_are_refused() -> None:
    nameifs = [f"i{number}" for number in range(18)]
    classes = "".join(f"class-map c{number}\n match any\n" for number in range(60))
    policy = "policy-map P\n" + "".join(f" class c{number}\n  inspect esmtp\n" for number in range(60))
    text = interfaces(*nameifs) + classes + policy
    enough = "".join(f"service-policy P interface {each}\n" for each in nameifs[:17])
    assert CLASS.top == 1023
    assert errors(text + enough) == []
    assert len(errors(text + enough + "service-policy P interface i17\n")) == 1


def test_an_interface_without_hardware_is_a_warning_at_its_line() -> None:
    (found,) = load("interface E\n nameif dmz\n").diagnostics
    assert (found.severity, found.place.line) == (Severity.WARNING, 1)
    assert load("interface E\n").diagnostics == ()


def test_a_static_is_taken_away_by_its_addresses() -> None:
    text = interfaces("outside", "inside") + "static (inside,outside) 203.0.113.1 192.0.2.1 netmask 255.255.255.255"
    limited = text + " tcp 50 100\n"
    left = load(limited + "no static (inside,outside) 203.0.113.1 192.0.2.1\n")
    assert (left.diagnostics, left.config.statics if left.config else None) == ((), ())
    assert errors(limited + "no static (inside,outside) 203.0.113.1 192.0.2.2\n") == [(8, 1)]


def test_an_entry_that_denies_does_not_stand_in_a_list_of_nat_0() -> None:
    text = interfaces("outside", "inside") + "access-list n extended deny ip host 192.0.2.26 any\n"
    text += "access-list n extended permit ip any any\n"
    assert errors(text + "nat (inside) 0 access-list n\n") == [(7, 1)]
    assert errors(text) == []


def test_a_port_is_translated_before_the_host_that_has_its_address() -> None:
    host = "static (inside,outside) 203.0.113.125 192.0.2.25\n"
    port = "static (inside,outside) tcp 203.0.113.125 8025 192.0.2.27 8026\n"
    text = interfaces("outside", "inside", "dmz")
    assert load(text + port + host).diagnostics == ()
    [found] = load(text + host + port).diagnostics
    assert (found.severity, found.place.line) == (Severity.ERROR, 11)
    assert found.message == ("ERROR: mapped-address conflict with existing static: 203.0.113.125 is in line 10")
    assert errors(text + host + port.replace("outside", "dmz")) == []
    assert errors(text + "static (inside,outside) 203.0.113.0 192.0.2.0 netmask 255.255.255.0\n" + port) == [(11, 1)]


def test_of_objects_the_first_rule_translates_a_port() -> None:
    text = (
        interfaces("outside", "inside")
        + "object network a\n host 192.0.2.25\n nat (inside,outside) static 203.0.113.125\n"
    )
    port = " nat (inside,outside) static 203.0.113.125 service tcp 8026 8025\n"
    [found] = load(text + "object network b\n host 192.0.2.27\n" + port).diagnostics
    assert (found.severity, found.place.line) == (Severity.WARNING, 12)
    assert found.message == "WARNING: nothing comes to this port: line 9 translates all of its address"
    assert load(text + "object network b\n host 192.0.2.24\n" + port).diagnostics == ()


def test_embryonic_limits_that_hold_for_nobody_are_told() -> None:
    text = interfaces("outside", "inside") + "class-map all\n match any\npolicy-map p\n class all\n"
    text += "  set connection embryonic-conn-max 5\nservice-policy p global\n"
    assert load(text).diagnostics == ()
    choosing = text + "object network pat\n host 203.0.113.9\nnat (any,outside) source dynamic any pat\n"
    [found] = load(choosing).diagnostics
    assert (found.severity, found.place.line) == (Severity.WARNING, 12)
    assert found.message.startswith("WARNING: embryonic limits of classes hold for nobody: ")
    assert load(choosing.replace("embryonic-conn-max", "conn-max")).diagnostics == ()
    assert load(choosing + "static (inside,outside) 203.0.113.125 192.0.2.25\n").diagnostics == ()


def test_limits_too_many_to_walk_and_for_nobody_are_told_both() -> None:
    text = interfaces("outside", "inside") + "object network pat\n host 203.0.113.9\n"
    text += "nat (any,outside) source dynamic any pat\n"
    text += "".join(f"access-list l extended permit tcp any any eq {port}\n" for port in range(1, 300))
    text += "class-map all\n match access-list l\npolicy-map p\n class all\n"
    text += "  set connection embryonic-conn-max 5\nservice-policy p global\n"
    assert [each.severity for each in load(text).diagnostics] == [Severity.ERROR, Severity.WARNING]
