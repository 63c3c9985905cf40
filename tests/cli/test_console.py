"""The console: prompts, abbreviations, help, and changes made whole or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import assert_never

import pytest

from appliance import show
from appliance.cli import firewall, session
from appliance.cli.call import Call
from appliance.cli.console import BUILTINS, Console
from appliance.cli.tree import FIREWALL
from appliance.control.client import ControlError
from appliance.control.protocol import (
    Applied,
    Configure,
    Refusal,
    Reload,
    Request,
    ShowConnections,
    ShowRunningConfig,
    ShowStartupConfig,
    Told,
    WriteMemory,
)
from tests.daemon.test_configuration import TEXT, Box

Out = pytest.CaptureFixture[str]


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    made = Box(tmp_path / "box.cfg")

    def ask(_path: Path, request: Request) -> Told:
        match request:
            case ShowRunningConfig(everything):
                return show.running_config(made.configuration.running, everything)
            case ShowConnections():
                return show.ConnectionsReport(0, 5, ())
            case Reload():
                answer = made.configuration.reload()
            case Configure(lines):
                answer = made.configuration.change(lines)
            case WriteMemory():
                return made.configuration.write()
            case ShowStartupConfig():
                return made.configuration.startup_report()
            case _:
                raise AssertionError(request)
        match answer:
            case Refusal(message):
                raise ControlError(message)
            case Applied():
                return answer
            case _:
                assert_never(answer)

    monkeypatch.setattr(firewall, "ask", ask)
    return made


Say = Callable[..., list[str]]


def sayer(box: Box, capsys: Out, strict: bool) -> tuple[Console, Say]:
    made = Console(box.file.parent, strict)

    def say(*lines: str) -> list[str]:
        """What the last of some lines is answered."""
        for line in lines:
            capsys.readouterr()
            made.execute(line)
        return capsys.readouterr().out.splitlines()

    return made, say


@pytest.fixture
def typed(box: Box, capsys: Out) -> tuple[Console, Say]:
    return sayer(box, capsys, strict=False)


def test_the_prompt_says_where_one_is(typed: tuple[Console, Say]) -> None:
    made, say = typed
    prompts = [made.prompt]
    for line in ("enable", "conf t", "interface Ethernet0/0", "exit", "policy-map p", "end", "disable", "exit"):
        say(line)
        prompts.append(made.prompt)
    assert prompts == [
        "edge> ",
        "edge# ",
        "edge(config)# ",
        "edge(config-if)# ",
        "edge(config)# ",
        "edge(config-pmap)# ",
        "edge# ",
        "edge> ",
        "edge> ",
    ]
    assert made.done


@pytest.mark.parametrize(
    ("level", "line", "said"),
    [
        ((), "show nonsense", ["           ^", "ERROR: % Invalid input detected at '^' marker."]),
        ((), "configure terminal", ["      ^", "ERROR: % Invalid input detected at '^' marker."]),
        ((), "show running-config", ["           ^", "ERROR: % Invalid input detected at '^' marker."]),
        ((), "show", ["ERROR: % Incomplete command"]),
        (("en",), "show x | inc", ["ERROR: % Incomplete command"]),
        (("en",), "show conn | sort x", ["                  ^", "ERROR: % Invalid input detected at '^' marker."]),
        (("en",), "c", ['ERROR: % Ambiguous command:  "c"']),
        (("en",), "enable", ["      ^", "ERROR: % Invalid input detected at '^' marker."]),
        (("en",), "show conn count now", ["                      ^", "ERROR: % Invalid input detected at '^' marker."]),
        (("en",), "show conn address", ["ERROR: show conn: address: incomplete command"]),
        (("en", "conf t"), "nonsense", ["              ^", "ERROR: % Invalid input detected at '^' marker."]),
        (("en", "conf t"), "interface", ["ERROR: % Incomplete command"]),
        (("en", "conf t"), "sh nonsense", ["                 ^", "ERROR: % Invalid input detected at '^' marker."]),
    ],
)
def test_errors_are_an_asas(typed: tuple[Console, Say], level: tuple[str, ...], line: str, said: list[str]) -> None:
    _, say = typed
    say(*level)
    assert say(line) == said


def test_commands_may_be_shortened_and_filtered(typed: tuple[Console, Say]) -> None:
    _, say = typed
    say("en")
    assert say("sh conn c") == ["0 in use, 5 most used"]
    assert say("sh run | inc host") == ["hostname edge"]
    assert say("sh run | ex [!a-z]") == []
    assert say("sh run int | begin secur") == [" security-level 0", " no ip address"]
    assert say("sh conn c | json")[0] == "{"
    assert say("! a comment", "", "terminal pager 0") == []


def test_help_says_what_may_stand_here(typed: tuple[Console, Say]) -> None:
    _, say = typed
    assert [line.split()[0] for line in say("?")] == ["enable", "exit", "quit", "logout", "terminal", "help", "show"]
    assert [line.split()[0] for line in say("show conn ?")] == ["WORD", "<cr>", "count", "detail", "long"]
    say("en")
    assert [line.split()[0] for line in say("conf?")] == ["configure"]
    assert say("zz?") == ["ERROR: % Unrecognized command"]
    say("conf t")
    assert [line.split()[0] for line in say("hostname ?")] == ["WORD"]
    assert {"interface", "policy-map", "end", "show"} <= {line.split()[0] for line in say("?")}
    assert [line.split()[0] for line in say("access-g?")] == ["access-group"]
    assert say("interface Ethernet0/0", "ip address ?")
    assert say("nonsense here ?")[-1] == "ERROR: % Invalid input detected at '^' marker."


def test_a_question_mark_of_an_expression_is_its_own(typed: tuple[Console, Say], box: Box) -> None:
    _, say = typed
    assert say("en", "conf t", "regex news newsletters?") == []
    say("end")
    assert box.configuration.running.regexes[0].pattern == "newsletters?"


def test_what_is_typed_takes_effect_together_when_the_mode_is_left(typed: tuple[Console, Say], box: Box) -> None:
    made, say = typed
    say("en", "conf t", "hostname core", "interface Ethernet0/0", "security-level 5")
    assert box.enforced == []
    assert say("show running-config interface")[:1] == ["interface Ethernet0/0"]
    assert " security-level 5" in say("show running-config interface")
    assert say("end") == []
    assert [each.hostname for each in box.enforced] == ["core"]
    assert made.prompt == "core# "
    assert say("conf t", "end") == []
    assert len(box.enforced) == 1, "nothing typed, nothing to do"


def test_a_refused_line_is_left_out_and_the_rest_is_done(typed: tuple[Console, Say], box: Box) -> None:
    _, say = typed
    say("en", "conf t", "hostnam", "hostname core", "end")
    assert [each.hostname for each in box.enforced] == ["core"]


def test_what_makes_no_sense_as_a_whole_is_said_on_leaving(typed: tuple[Console, Say], box: Box) -> None:
    made, say = typed
    say("en", "conf t", "access-group nope in interface outside")
    assert say("exit") == [
        "access-group nope in interface outside",
        "             ^",
        "ERROR: access-list <nope> does not exist",
        "Nothing was applied. Correct it, or type abort.",
    ]
    assert made.prompt == "edge(config)# "
    assert say("access-list nope permit ip any any", "exit") == []
    assert len(box.enforced) == 1
    say("conf t", "hostname core", "abort")
    assert made.prompt == "edge# "
    assert len(box.enforced) == 1


def test_what_the_machine_refuses_is_said(typed: tuple[Console, Say], box: Box) -> None:
    made, say = typed
    box.refusal = "no way to the gateway"
    said = say("en", "conf t", "hostname core", "end")
    assert said == ["ERROR: no way to the gateway; the configuration in force is the one before"]
    assert made.prompt == "edge(config)# "


def test_writing_in_configuration_mode_writes_what_was_typed(typed: tuple[Console, Say], box: Box) -> None:
    made, say = typed
    assert say("en", "conf t", "hostname core", "wr mem")[-1] == "[OK]"
    assert "hostname core\n" in box.file.read_text(encoding="utf-8")
    assert made.prompt == "core(config)# "


def test_sections_are_cleared(typed: tuple[Console, Say], box: Box) -> None:
    _, say = typed
    assert say("en", "conf t", "clear configure access-group", "clear configure access-list in", "end") == []
    assert box.configuration.running.access_lists == ()


def test_a_reload_undoes_what_was_not_written(typed: tuple[Console, Say], box: Box) -> None:
    made, say = typed
    say("en", "conf t", "hostname core", "end")
    assert made.prompt == "core# "
    say("reload")
    assert made.prompt == "edge# "


# --- scripts ----------------------------------------------------------------------------------------------------


class Script(list[str]):
    """Lines on stdin."""

    def isatty(self) -> bool:
        return False


def held(box: Box, monkeypatch: pytest.MonkeyPatch, *lines: str) -> int:
    monkeypatch.setattr(session.sys, "stdin", Script(f"{line}\n" for line in lines))
    return session.console(Call(box.file.parent, {}, ()))


def test_a_script_is_echoed_with_its_prompts(box: Box, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    assert held(box, monkeypatch, "enable", "show conn count", "exit", "show conn") == 0
    assert capsys.readouterr().out.splitlines() == [
        "edge> enable",
        "edge# show conn count",
        "0 in use, 5 most used",
        "edge# exit",
    ]


def test_a_script_that_ends_in_configuration_mode_has_left_it(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    assert held(box, monkeypatch, "enable", "configure terminal", "hostname core") == 0
    assert [each.hostname for each in box.enforced] == ["core"]


@pytest.mark.parametrize("bad", ["hostnam", "nonsense", "access-group nope in interface outside"])
def test_a_script_with_a_bad_line_changes_nothing(
    box: Box, monkeypatch: pytest.MonkeyPatch, capsys: Out, bad: str
) -> None:
    lines = ("enable", "configure terminal", "hostname core", bad, "end", "write memory")
    assert held(box, monkeypatch, *lines) == 2
    assert box.enforced == []
    assert "othing was applied" in capsys.readouterr().out
    assert box.file.read_text(encoding="utf-8") == TEXT, "what follows is not done"


# --- the table --------------------------------------------------------------------------------------------------


def test_no_command_of_the_console_is_one_of_the_firewall() -> None:
    assert not {each.words for each in BUILTINS} & {each.words for each in FIREWALL}


def test_do_takes_a_command_wherever_it_is_typed(typed: tuple[Console, Say]) -> None:
    _, say = typed
    assert say("en", "conf t", "interface Ethernet0/0", "do show conn count") == ["0 in use, 5 most used"]
    assert say("do show nonsense") == [f"{' ' * 25}^", "ERROR: % Invalid input detected at '^' marker."]
    assert say("do show running-config interface")[0] == "interface Ethernet0/0"


def test_grep_v_excludes(typed: tuple[Console, Say]) -> None:
    _, say = typed
    say("en")
    assert say("sh run | grep -v [a-z]") == [each for each in say("sh run") if each == "!"]


def test_sections_are_found_as_they_are_typed(box: Box, typed: tuple[Console, Say]) -> None:
    _, say = typed
    nat = (
        "object network mail",
        "host 192.0.2.25",
        "nat (any,outside) static 203.0.113.25",
        "object-group network all",
    )
    say("en", "conf t", *nat, "end")
    assert say("sh run object") == ["object network mail", " host 192.0.2.25"]
    assert say("sh run nat") == ["object network mail", " nat (any,outside) static 203.0.113.25"]
    assert say("sh run int ETHERNET0/0")[0] == "interface Ethernet0/0"
    assert say("sh run nosuch") == ["ERROR: show running-config: no statement begins so: nosuch"]
    assert box.configuration.running.objects


def test_clear_configure_may_be_shortened(box: Box, typed: tuple[Console, Say]) -> None:
    _, say = typed
    assert say("en", "conf t", "cle conf access-g", "clear conf access-list", "end") == []
    assert box.configuration.running.access_lists == ()


def test_connections_that_a_change_ended_are_counted(box: Box, typed: tuple[Console, Say]) -> None:
    _, say = typed
    box.ended = 1
    assert say("en", "conf t", "hostname core", "end") == [
        "INFO: 1 connection has ended: what their clients called leads elsewhere now"
    ]
