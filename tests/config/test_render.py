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
