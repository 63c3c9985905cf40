"""Comments before entries of access lists are their remarks; the others are counted, not forgotten silently."""

from appliance.config.comments import as_remarks
from appliance.config.config import Config
from appliance.config.load import load
from appliance.config.render import running_config

TEXT = """\
! What this box is for
! ---------------------
hostname edge

! ---- Mail ----
access-list mail extended permit tcp any host 192.0.2.25 eq smtp
! nobody else,
!   whoever it is
access-list mail remark the rest
access-list mail extended deny ip any any log
access-list mail extended permit udp any any
! the end
"""


def loaded(text: str) -> Config:
    config = load(text).config
    assert config is not None, load(text)
    return config


def lists(config: Config) -> list[str]:
    return [line for line in running_config(config).splitlines() if line.startswith("access-list")]


CONFIG = loaded(TEXT.replace(" log\n", "\n"))
OCTETS = TEXT.replace(" log\n", "\n").encode()


def test_what_stands_before_an_entry_is_said_of_it() -> None:
    config, lost = as_remarks(CONFIG, OCTETS)
    assert lists(config) == [
        "access-list mail remark Mail",
        "access-list mail extended permit tcp any host 192.0.2.25 eq smtp",
        "access-list mail remark the rest",
        "access-list mail remark nobody else,",
        "access-list mail remark whoever it is",
        "access-list mail extended deny ip any any",
        "access-list mail extended permit udp any any",
    ]
    assert lost == 2, "what is said of the host name, and of the end"


def test_what_was_written_says_it_no_twice() -> None:
    config, _ = as_remarks(CONFIG, OCTETS)
    again, lost = as_remarks(config, OCTETS)
    assert (again, lost) == (config, 2)
    assert as_remarks(config, running_config(config).encode()) == (config, 0)


def test_a_comment_of_an_entry_that_is_gone_is_lost() -> None:
    text = TEXT.replace(" log\n", "\n").replace("access-list mail extended deny ip any any\n", "")
    config, lost = as_remarks(loaded(text), OCTETS)
    assert lost == 4
    assert lists(config)[:2] == lists(as_remarks(CONFIG, OCTETS)[0])[:2]


def test_a_long_comment_is_several_remarks_and_none_too_long() -> None:
    for letter in ("a", "ü", "\U0001f4e7"):
        text = f"! {' '.join([letter * 9] * 60)}\naccess-list a extended permit ip any any\n"
        config, lost = as_remarks(loaded(text), text.encode())
        assert lost == 0
        assert loaded(running_config(config)) == config


def test_octets_that_are_no_text_reach_no_remark() -> None:
    text = b"! caf\xe9 \x1b[31m red \x07\naccess-list a extended permit ip any any\n"
    config, _ = as_remarks(loaded("access-list a extended permit ip any any\n"), text)
    assert loaded(running_config(config)) == config
