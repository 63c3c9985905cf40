"""A configuration changed line by line: what is refused changes nothing, and what comes of it is a rule file."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.config import Config
from appliance.config.diagnostics import INCOMPLETE, INVALID, Severity
from appliance.config.editor import SECTIONS, Editor
from appliance.config.load import load
from appliance.config.render import running_config
from appliance.config.syntax import Mode
from appliance.lab.lab import EXAMPLE
from appliance.policy.acl import ANY, AccessList, Ace, Named
from appliance.policy.objects import Group, GroupKind
from tests.config.configs import Known, configs, groups

MAIL = load(EXAMPLE.read_bytes()).config
assert MAIL is not None


@pytest.fixture
def editor() -> Editor:
    assert MAIL is not None
    return Editor(MAIL)


def typed(editor: Editor, *texts: str) -> list[tuple[int, str]]:
    return [(each.place.column, each.message) for text in texts for each in editor.line(text)]


def test_what_nobody_changed_is_what_it_was(editor: Editor) -> None:
    assert editor.config == MAIL
    assert load(editor.text()).config == MAIL


@given(configs())
def test_a_candidate_is_verified_as_it_was_typed(config: Config) -> None:
    editor = Editor(config)
    found, lines = editor.loaded()
    assert found.config == config
    assert set(lines.values()) <= set(running_config(config).splitlines())


PORTS = [
    "object-group service plain",
    "service-object tcp eq 25",
    "object-group service mail tcp",
    "port-object eq 587",
    "group-object plain",
    "access-list new extended permit tcp any any object-group mail",
]


def test_a_group_of_ports_that_holds_services_is_refused_when_all_is_asked_for_as_in_a_file(editor: Editor) -> None:
    assert typed(editor, *PORTS) == []
    errors = [each.message for each in editor.loaded()[0].diagnostics if each.severity is Severity.ERROR]
    assert errors == ["ERROR: object-group (mail) is not one of ports of tcp"]
    assert errors == [each.message for each in load(editor.text()).diagnostics if each.severity is Severity.ERROR]
    assert typed(editor, "object-group service mail tcp", "no group-object plain") == []
    assert editor.loaded()[0].config == editor.config


@given(groups(kinds=[GroupKind.SERVICE]), st.sampled_from(["tcp", "udp"]))
def test_a_group_is_of_a_protocols_ports_if_all_that_it_holds_is(found: tuple[Group, ...], protocol: str) -> None:
    of_it = Known(groups=found).of_ports(protocol)
    for each in (Named("object-group", group.name) for group in found):
        entry = Ace(True, protocol, ANY, None, ANY, each)
        editor = Editor(replace(Config(), groups=found, access_lists=(AccessList("new", (entry,)),)))
        assert (editor.loaded()[0].config is not None) == (each in of_it)
        assert (load(editor.text()).config is not None) == (each in of_it)


def test_what_was_undone_is_named_no_more(editor: Editor) -> None:
    undone = ["access-list new permit ip any any", "access-group new in interface inside"]
    assert typed(editor, *undone, *(f"no {each}" for each in reversed(undone))) == []
    assert editor.loaded()[0].config == MAIL


@pytest.mark.parametrize("how", [["interface Ethernet0/1", "no nameif"], ["no interface Ethernet0/1"]])
def test_what_is_said_of_an_interface_alone_goes_with_its_name(how: list[str]) -> None:
    said = ["mtu inside 1400", "sysopt noproxyarp inside", "ip verify reverse-path interface inside"]
    editor = Editor(load("interface Ethernet0/1\n nameif inside\n").config or Config())
    assert typed(editor, *said, *how) == []
    found = editor.loaded()[0]
    assert [str(each.message) for each in found.diagnostics if each.severity is Severity.ERROR] == []
    assert not any("inside" in line for line in editor.text().splitlines())


@pytest.mark.parametrize(
    ("said", "undone"),
    [
        (["access-group outside_in in interface outside"], "no access-group other in interface outside"),
        (["interface Ethernet0/1", "security-level 100"], "no security-level 3"),
        (["interface Ethernet0/1", "nameif inside"], "no nameif dmz"),
        (["interface Ethernet0/1", "hardware eth1"], "no hardware eth2"),
        (["interface E", "ip address 192.0.2.77 255.255.255.0"], "no ip address 192.0.2.78 255.255.255.0"),
        (["interface E", "ip address 192.0.2.77 255.255.255.0"], "no ip address 192.0.2.77 255.255.0.0"),
        (["mtu inside 1400"], "no mtu inside 1500"),
        (["policy-map p", "class c", "set connection conn-max 50"], "no set connection conn-max 77"),
        (["policy-map p", "class c", "set connection timeout idle 2:00:00"], "no set connection timeout idle 1:00:00"),
        (["policy-map p", "class c", "inspect esmtp strict"], "no inspect esmtp other"),
        (["policy-map p", "class c", "inspect esmtp"], "no inspect esmtp other"),
        (["logging host inside 192.0.2.5"], "no logging host inside 192.0.2.5 17/600"),
        (["logging host inside 192.0.2.5"], "no logging host outside 192.0.2.5"),
    ],
)
def test_what_names_another_value_than_the_one_that_stands_undoes_nothing(
    editor: Editor, said: list[str], undone: str
) -> None:
    assert typed(editor, *said) == []
    before = editor.config
    [(_, message)] = typed(editor, undone)
    assert message.startswith("ERROR: that does not stand here")
    assert editor.config == before
    assert typed(editor, f"no {said[-1]}") == []
    assert editor.config != before


def test_lines_stand_in_the_mode_that_the_last_one_left(editor: Editor) -> None:
    assert editor.mode is Mode.CONFIGURE
    assert typed(editor, "interface Ethernet0/1") == []
    assert editor.mode is Mode.INTERFACE
    assert typed(editor, "description the servers", "policy-map global_policy", "class inspection_default") == []
    assert editor.mode is Mode.CLASS
    assert typed(editor, "exit", "exit") == []
    assert editor.mode is Mode.CONFIGURE
    inside = editor.config.interface("inside")
    assert inside is not None
    assert inside.description == "the servers"


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("hostnam", 8, INCOMPLETE),
        ("nonsense", 1, INVALID),
        ("policy-map type inspect esmtp", 30, INCOMPLETE),
        ("clear configure", 16, INCOMPLETE),
        ("clear configure nonsense", 17, INVALID),
        ("clear configure static 203.0.113.125", 24, "ERROR: static <203.0.113.125> does not exist"),
        ("clear configure access-list nope", 29, "ERROR: access-list <nope> does not exist"),
        ("clear configure access-list outside_in now", 40, INVALID),
        ("interface Ethernet0/2 now", 23, INVALID),
    ],
)
def test_a_line_in_error_changes_nothing_and_opens_no_mode(
    editor: Editor, text: str, column: int, message: str
) -> None:
    assert typed(editor, text) == [(column, message)]
    assert editor.mode is Mode.CONFIGURE
    assert editor.config == MAIL
    assert typed(editor, "hostname edge") == []
    assert editor.config.hostname == "edge"


def test_names_may_come_after_those_who_use_them(editor: Editor) -> None:
    assert typed(editor, "access-group later in interface inside", "access-list later permit ip any any") == []
    assert load(editor.text()).config is not None


def test_a_hundred_errors_are_not_the_last_that_is_said(editor: Editor) -> None:
    for _ in range(150):
        assert typed(editor, "nonsense") == [(1, INVALID)]


def test_a_section_is_cleared_or_one_thing_of_it(editor: Editor) -> None:
    assert typed(editor, "clear configure access-list outside_in") == []
    assert [each.name for each in editor.config.access_lists] == ["ironport_esa_internal"]
    assert typed(editor, "clear configure access-list") == []
    assert editor.config.access_lists == ()
    assert editor.config.statics != ()
    assert typed(editor, "clear configure all") == []
    assert editor.config == Config()


def test_every_section_is_a_part_of_a_configuration() -> None:
    names = {each.name for each in fields(Config)}
    assert {part for parts in SECTIONS.values() for part in parts} == names


@pytest.mark.parametrize("section", SECTIONS)
def test_a_cleared_section_is_as_at_first(editor: Editor, section: str) -> None:
    typed(editor, f"clear configure {section}")
    assert all(getattr(editor.config, part) == getattr(Config(), part) for part in SECTIONS[section])
    assert load(running_config(editor.config)).diagnostics is not None, "what names it is for the whole to say"
