"""The one table of defaults: which row a file has, and what it changes in an inspection."""

from __future__ import annotations

import pytest

from appliance.config.inspections import inspections
from appliance.config.load import load
from appliance.config.versions import SEED, VERSIONS, named, of_release
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import Banner
from tests.playbook import GREETED, client, everyhow, server

HELD = "class-map c\n match any\npolicy-map p\n class c\n  inspect esmtp\nservice-policy p global\n"


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("4.4(1)", "pix-6.3"),
        ("6.3(5)", "pix-6.3"),
        ("7.0(1)", "asa-7.2"),
        ("7.2(4)30", "asa-7.2"),
        ("8.0(4)", "asa-8.2"),
        ("8.2(5)", "asa-8.2"),
        ("8.3(1)", "asa-8.4"),
        ("8.6(1)2", "asa-8.4"),
        ("9.1(7)", "asa-8.4"),
        ("9.3(3)", "asa-8.4"),
        ("9.4(1)", "asa-9.4"),
        ("9.16(4)", "asa-9.4"),
    ],
)
def test_a_release_has_the_row_that_began_last_before_it(release: str, name: str) -> None:
    assert of_release(release).name == name
    config = load(f"ASA Version {release}\n").config
    assert config is not None
    assert config.defaults == named(name)


def test_compatibility_goes_before_the_head_and_without_either_it_is_the_seeds() -> None:
    for text, name in (("ASA Version 9.4(1)\ncompatibility asa-7.2\n", "asa-7.2"), ("", "")):
        config = load(text).config
        assert config is not None
        assert config.defaults.name == name
    assert SEED.default_map == DEFAULT_MAP


def test_the_rows_are_in_order_and_no_two_begin_at_once() -> None:
    begins = [each.since for each in VERSIONS]
    assert begins == sorted(set(begins))


@pytest.mark.parametrize("name", [each.name for each in VERSIONS])
def test_an_inspection_that_names_no_map_has_the_versions(name: str) -> None:
    config = load(f"compatibility {name}\n{HELD}").config
    assert config is not None
    (inspection,) = inspections(config)
    assert inspection.inspect_map == named(name).default_map


def test_what_94_changes() -> None:
    new = named("asa-9.4").parameters
    assert (new.banner, new.allow_tls) == (Banner.ALL, True)
    old = named("asa-8.2").parameters
    assert (old.banner, old.allow_tls) == (Banner.KEEP_2_AND_0, False)


def test_pix_6_knows_the_seven_commands_of_rfc_821_and_ehlo_is_none_of_them() -> None:
    script = (server(b"220 mx ESMTP\r\n"), client(b"EHLO a.example\r\n"), server(b"500 what\r\n"))
    outcome = everyhow(*script, client(b"HELO a.example\r\n"), inspect_map=named("pix-6.3").default_map)
    assert outcome.client == b"XXXXXXXXXXXXXX\r\nHELO a.example\r\n"


@pytest.mark.parametrize(("name", "line"), [("asa-7.2", b"250-XXXA"), ("asa-8.2", b"250-VRFY")])
def test_vrfy_in_the_reply_to_ehlo_is_masked_up_to_7(name: str, line: bytes) -> None:
    script = (*GREETED, client(b"EHLO a.example\r\n"), server(b"250-mx\r\n250-VRFY\r\n250 PIPELINING\r\n"))
    outcome = everyhow(*script, inspect_map=named(name).default_map)
    assert line in outcome.server
