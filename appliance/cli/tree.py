"""The one table of commands: words, operands, options, help with an example, and what does it.

A new command is one row. Parsing (`cli/arguments.py`) and help (`cli/help.py`) iterate the table and know no command
by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from appliance.cli import commands, shows
from appliance.cli.call import Call
from appliance.show import Progress


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its names, and the word that stands for what it takes (None: it takes nothing)."""

    names: tuple[str, ...]
    takes: str | None
    help: str

    @property
    def key(self) -> str:
        """What `Call.options` knows it by: the longest name without dashes."""
        return max(self.names, key=len).lstrip("-")


@dataclass(frozen=True, slots=True)
class Command:
    """A row. `operands` is for help; between `least` and `most` of them are taken (`most` None: any number).

    `foreign`: one operand, and behind ``--`` somebody else's command line.
    """

    words: tuple[str, ...]
    help: str
    example: str
    handler: Callable[[Call], int]
    operands: str = ""
    least: int = 0
    most: int | None = 0
    options: tuple[Option, ...] = ()
    foreign: bool = False


RUN_DIR = Option(("--run-dir",), "DIR", "the instance's directory (default /run/fixup)")
HELP = Option(("--help", "-h"), None, "say what there is, with examples")
VERSION = Option(("--version",), None, "say which Fixup this is")
#: Options of every command.
GLOBAL = (RUN_DIR, HELP, VERSION)

_JSON = Option(("--json",), None, "as JSON; '| json' as last words of a show does the same")
_CONFIG = Option(("-c", "--config"), "FILE", "the rule file; a lab's is examples/mail.cfg, replay has the default map")
_NAME = Option(("--name",), "PREFIX", "the lab's name (default fixup)")

#: Which connections are meant, as `cli/wanted.py` reads it.
_WANTED = "[address A[-B] [netmask M]] [port P[-Q]] [protocol P] [state S,…]"
_HOSTS = "[A[-B]] [connection tcp|embryonic N[-M]]"
_XLATES = "[global A[-B]] [local A[-B]] [interface IFC,…]"
_STATES = ", ".join(each.value for each in Progress)

COMMANDS: tuple[Command, ...] = (
    Command(
        ("run",),
        "be the firewall, in the foreground; SIGTERM ends it and puts everything back",
        "fixup run /etc/fixup/fixup.cfg",
        commands.run,
        "CONFIG",
        1,
        1,
    ),
    Command(
        ("check",),
        "read a rule file and say what is wrong with it: exit 0, or 2 with every error's line and column",
        "fixup check examples/mail.cfg",
        commands.check,
        "CONFIG",
        1,
        1,
    ),
    Command(
        ("reload",),
        "put the rule file in force again: living connections keep what they began with; exit 2 if it is bad",
        "sudo fixup reload",
        commands.reload,
    ),
    Command(
        ("console",),
        "an ASA's prompt: every show and clear, and the configuration changed line by line; or a script on stdin",
        "sudo fixup console",
        commands.console,
    ),
    Command(
        ("packet-tracer", "input"),
        "what becomes of a connection's first packet, phase by phase; of icmp it is SRC TYPE CODE DST",
        "fixup packet-tracer input outside tcp 203.0.113.10 40000 203.0.113.125 smtp",
        shows.packet_tracer,
        "IFC PROTOCOL SRC SPORT DST DPORT [detailed]",
        2,
        None,
        (_CONFIG, _JSON),
    ),
    Command(
        ("write", "memory"),
        "write the configuration in force to the rule file, as an ASA prints it; the old one is kept as FILE.old",
        "sudo fixup write memory",
        commands.write_memory,
    ),
    Command(
        ("write", "terminal"),
        "the configuration in force, as it would be typed",
        "fixup write terminal",
        shows.show_running_config,
    ),
    Command(
        ("copy", "running-config", "startup-config"),
        "the same as write memory",
        "sudo fixup copy running-config startup-config",
        commands.write_memory,
    ),
    Command(
        ("show", "service-policy"),
        "the inspecting classes, with what they counted",
        "fixup show service-policy",
        shows.show_service_policy,
        options=(_JSON,),
    ),
    Command(
        ("show", "service-policy", "inspect", "esmtp"),
        "the same, with every rule of the inspect map",
        "fixup show service-policy inspect esmtp",
        shows.show_service_policy_esmtp,
        options=(_JSON,),
    ),
    Command(
        ("show", "service-policy", "set", "connection"),
        "what the classes say of connections: limits, how many there are now, how many were refused",
        "fixup show service-policy set connection",
        shows.show_service_policy_connections,
        options=(_JSON,),
    ),
    Command(
        ("show", "service-policy", "set", "connection", "details"),
        "the same with what each client has, where clients are limited",
        "fixup show service-policy set connection details",
        shows.show_service_policy_connections_details,
        options=(_JSON,),
    ),
    Command(
        ("show", "conn"),
        f"TCP connections; S is of {_STATES}",
        "fixup show conn address 203.0.113.10-203.0.113.99 port 25 state up,data_in",
        shows.show_conn,
        _WANTED,
        most=None,
        options=(_JSON,),
    ),
    Command(
        ("show", "conn", "count"),
        "how many connections there are",
        "fixup show conn count",
        shows.show_conn_count,
        options=(_JSON,),
    ),
    Command(
        ("show", "conn", "detail"),
        "the connections with uptime and timeout, and what the flags mean",
        "fixup show conn detail address 203.0.113.10",
        shows.show_conn_detail,
        _WANTED,
        most=None,
        options=(_JSON,),
    ),
    Command(
        ("show", "conn", "long"),
        "the same with mapped addresses, and who opened each",
        "fixup show conn long address 203.0.113.10",
        shows.show_conn_long,
        _WANTED,
        most=None,
        options=(_JSON,),
    ),
    Command(
        ("show", "local-host"),
        "hosts with connections, what they use of their limits, and the connections",
        "fixup show local-host 192.0.2.25",
        shows.show_local_host,
        _HOSTS,
        most=None,
        options=(_JSON,),
    ),
    Command(
        ("show", "local-host", "brief"),
        "the hosts without translations and connections; those with at least, or between, so many",
        "fixup show local-host brief connection tcp 40-50",
        shows.show_local_host_brief,
        _HOSTS,
        most=None,
        options=(_JSON,),
    ),
    Command(
        ("show", "local-host", "detail"),
        "the hosts with their connections in detail",
        "fixup show local-host detail 192.0.2.25",
        shows.show_local_host_detail,
        _HOSTS,
        most=None,
        options=(_JSON,),
    ),
    Command(
        ("show", "xlate"),
        "the translations",
        "fixup show xlate global 203.0.113.125",
        shows.show_xlate,
        _XLATES,
        most=None,
        options=(_JSON,),
    ),
    Command(
        ("show", "xlate", "count"),
        "how many translations there are",
        "fixup show xlate count",
        shows.show_xlate_count,
        options=(_JSON,),
    ),
    Command(
        ("show", "nat"),
        "the rules of translation, and how many connections each has translated",
        "fixup show nat",
        shows.show_nat,
        options=(_JSON,),
    ),
    Command(
        ("show", "nat", "detail"),
        "the same, with addresses",
        "fixup show nat detail",
        shows.show_nat_detail,
        options=(_JSON,),
    ),
    Command(
        ("show", "access-list"),
        "the access lists, and how many connections each entry decided",
        "fixup show access-list outside_in",
        shows.show_access_list,
        "[NAME]",
        most=1,
        options=(_JSON,),
    ),
    Command(
        ("show", "threat-detection", "statistics", "top", "tcp-intercept"),
        "the ten servers that TCP Intercept protected most",
        "fixup show threat-detection statistics top tcp-intercept",
        shows.show_attacks,
        options=(_JSON,),
    ),
    Command(
        ("show", "threat-detection", "statistics", "top", "tcp-intercept", "detail"),
        "the same with the samples of each",
        "fixup show threat-detection statistics top tcp-intercept detail",
        shows.show_attacks_detail,
        options=(_JSON,),
    ),
    Command(
        ("show", "threat-detection", "statistics", "top", "tcp-intercept", "all"),
        "all such servers",
        "fixup show threat-detection statistics top tcp-intercept all",
        shows.show_attacks_all,
        options=(_JSON,),
    ),
    Command(
        ("show", "threat-detection", "statistics", "top", "tcp-intercept", "all", "detail"),
        "all of them with the samples of each",
        "fixup show threat-detection statistics top tcp-intercept all detail",
        shows.show_attacks_all_detail,
        options=(_JSON,),
    ),
    Command(
        ("show", "running-config"),
        "the configuration in force, as it would be typed, or what of it begins with the words of SECTION",
        "fixup show running-config access-list",
        shows.show_running_config,
        "[SECTION]",
        most=None,
        options=(_JSON,),
    ),
    Command(
        ("show", "running-config", "all"),
        "the same with what is at its default",
        "fixup show running-config all",
        shows.show_running_config_all,
        "[SECTION]",
        most=None,
        options=(_JSON,),
    ),
    Command(
        ("show", "startup-config"),
        "the rule file that the next start or reload reads",
        "fixup show startup-config",
        shows.show_startup_config,
        options=(_JSON,),
    ),
    Command(
        ("show", "logging"),
        "where log messages go, and the latest of them",
        "fixup show logging",
        shows.show_logging,
        options=(_JSON,),
    ),
    Command(
        ("clear", "conn"),
        "end connections: all, or which (as show conn); no packet of them passes any more",
        "sudo fixup clear conn address 203.0.113.10 port 25",
        shows.clear_conn,
        f"all | {_WANTED}",
        most=None,
        options=(_JSON,),
    ),
    Command(
        ("clear", "local-host"),
        "end every connection of a host, or of all",
        "sudo fixup clear local-host 192.0.2.25",
        shows.clear_local_host,
        "[A[-B]]",
        most=1,
        options=(_JSON,),
    ),
    Command(
        ("clear", "xlate"),
        "end the connections that are translated; the statics stay",
        "sudo fixup clear xlate global 203.0.113.125",
        shows.clear_xlate,
        _XLATES,
        most=None,
        options=(_JSON,),
    ),
    Command(
        ("replay",),
        "what the firewall would have done with captured packets, offline, without root",
        "fixup replay -w out.pcap capture.pcap",
        commands.replay,
        "IN.pcap…",
        1,
        None,
        (
            _CONFIG,
            Option(("-w", "--write"), "OUT.pcap", "write what would have gone on (0600: it holds what the wire held)"),
            _JSON,
            Option(("--port",), "N", "inspect this TCP port (default 25)"),
            Option(("--checksums",), None, "drop packets with wrong checksums, as the firewall does"),
        ),
    ),
    Command(
        ("lab", "up"),
        "outside, firewall and inside as network namespaces, the firewall running",
        "sudo fixup lab up --config examples/mail.cfg",
        commands.lab_up,
        options=(_NAME, _CONFIG),
    ),
    Command(
        ("lab", "down"),
        "end every process of the lab and remove it",
        "sudo fixup lab down",
        commands.lab_down,
        options=(_NAME,),
    ),
    Command(
        ("lab", "exec"),
        "run a command in outside, firewall or inside",
        "sudo fixup lab exec outside -- swaks --server 203.0.113.125 --to root@example.com",
        commands.lab_exec,
        "HOST -- CMD…",
        2,
        None,
        options=(_NAME,),
        foreign=True,
    ),
    Command(
        ("lab", "demo"),
        "a lab of its own, and in it what an ASA does to mail, told step by step",
        "sudo fixup lab demo",
        commands.lab_demo,
        options=(_NAME, _CONFIG),
    ),
    Command(
        ("cleanup",),
        "remove what a killed firewall left: rules, programs, addresses, settings",
        "sudo fixup cleanup",
        commands.cleanup,
    ),
)
