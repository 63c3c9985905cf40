"""The running-config parses to what it was printed from, whatever that is; and shows what ASA shows."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.config.config import Config
from appliance.config.diagnostics import Severity
from appliance.config.load import load
from appliance.config.render import running_config
from tests.config.configs import configs


@given(configs())
def test_a_running_config_is_a_fixed_point(config: Config) -> None:
    text = running_config(config)
    loaded = load(text)
    assert loaded.config == config, [each.render("x") for each in loaded.diagnostics]
    assert running_config(config) == running_config(loaded.config)
    everything = load(running_config(config, all=True))
    assert everything.config == config, [each.render("x") for each in everything.diagnostics]


@given(configs(), st.data())
def test_any_line_may_go_missing(config: Config, data: st.DataObject) -> None:
    lines = running_config(config).splitlines()
    gone = data.draw(st.integers(0, len(lines) - 1))
    left = lines[:gone] + lines[gone + 1 :]
    loaded = load("\n".join(left))
    errors = [each for each in loaded.diagnostics if each.severity is Severity.ERROR]
    assert (loaded.config is None) == bool(errors)
    for each in errors:
        assert left[each.place.line - 1] == each.source
        assert 1 <= each.place.column <= len(each.source) + 1


def test_with_all_the_default_map_stands_as_the_reference_has_it() -> None:
    text = running_config(Config(), all=True)
    assert (
        """policy-map type inspect esmtp _default_esmtp_map
 description Default ESMTP policy-map
 parameters
  mask-banner
  no mail-relay
  no special-character
  no allow-tls
 match cmd line length gt 512
  drop-connection log
 match cmd RCPT count gt 100
  drop-connection log
 match body line length gt 998
  log
 match header line length gt 998
  drop-connection log
 match sender-address length gt 320
  drop-connection log
 match MIME filename length gt 255
  drop-connection log
 match ehlo-reply-parameter others
  mask
"""
        in text
    )
    assert "_default_esmtp_map" not in running_config(Config())
    assert "timeout embryonic 0:00:30\n" in text
    assert "logging buffer-size 4096\n" in text
    assert "logging facility 20\n" in text


def printed(text: str) -> list[str]:
    found = load(text)
    assert found.config is not None, [each.render("x") for each in found.diagnostics]
    return running_config(found.config).splitlines()


NAMED = """\
names
name 192.0.2.25 mail
interface Ethernet0/1
 nameif inside
 ip address 192.0.2.1 255.255.255.0
interface Ethernet0/0
 nameif outside
access-list in remark to 192.0.2.25
access-list in extended permit tcp any host 192.0.2.25
static (inside,outside) 203.0.113.25 192.0.2.25
"""


def test_addresses_are_printed_by_their_names_where_names_is_on() -> None:
    lines = printed(NAMED)
    assert "access-list in extended permit tcp any host mail" in lines
    assert "static (inside,outside) 203.0.113.25 mail netmask 255.255.255.255" in lines
    assert "access-list in remark to 192.0.2.25" in lines, "a text is nobody's address"
    assert "access-list in extended permit tcp any host 192.0.2.25" in printed(f"{NAMED}no names\n")


PIX = "PIX Version 6.3(5)\nfixup protocol smtp 2525\n"


def test_a_pix_6_prints_fixups_and_its_default_among_them() -> None:
    lines = printed(PIX)
    assert [each for each in lines if "smtp" in each] == ["fixup protocol smtp 25", "fixup protocol smtp 2525"]
    assert not any("map" in each for each in lines)
    assert [each for each in printed("PIX Version 6.3(5)\nno fixup protocol smtp 25\n") if "smtp" in each] == [
        "no fixup protocol smtp 25"
    ]
    assert not any("2525" in each for each in printed(f"{PIX}no fixup protocol smtp 2525\n"))


def test_what_fixups_cannot_say_a_pix_6_prints_as_maps() -> None:
    lines = printed(f"{PIX}policy-map global_policy\n class inspection_default\n  set connection conn-max 5\n")
    assert "  set connection conn-max 5" in lines
    assert not any(each.startswith("fixup") for each in lines)


def test_from_7_on_a_fixup_is_printed_as_maps() -> None:
    lines = printed(f"ASA Version 7.2(4)\n{PIX.splitlines()[1]}\n")
    assert "class-map class_smtp_2525" in lines


def test_translations_parse_back_in_the_order_of_their_sections() -> None:
    objects = "object network rem\n host 192.0.2.9\n"
    interfaces = "".join(f"interface {each}\n nameif {each}\n" for each in ("inside", "outside"))
    later = "nat (inside,outside) after-auto source dynamic any interface\n"
    loaded = load(interfaces + objects + later + "nat (outside,outside) source dynamic rem interface\n")
    assert loaded.config is not None
    assert load(running_config(loaded.config)).config == loaded.config
