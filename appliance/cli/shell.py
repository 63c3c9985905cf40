"""The commands of the shell alone, one row each, and the table of all there are."""

from __future__ import annotations

from appliance.cli import commands, session
from appliance.cli.row import CONFIG, JSON, Command, Option
from appliance.cli.tree import FIREWALL

_NAME = Option(("--name",), "PREFIX", "the lab's name (default fixup)")

SHELL: tuple[Command, ...] = (
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
        ("console",),
        "an ASA's prompt: every show and clear, and the configuration changed line by line; or a script on stdin",
        "sudo fixup console",
        session.console,
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
            CONFIG,
            Option(("-w", "--write"), "OUT.pcap", "write what would have gone on (0600: it holds what the wire held)"),
            JSON,
            Option(("--port",), "N", "inspect this TCP port (default 25)"),
            Option(("--checksums",), None, "drop packets with wrong checksums, as the firewall does"),
        ),
    ),
    Command(
        ("lab", "up"),
        "outside, firewall and inside as network namespaces, the firewall running",
        "sudo fixup lab up --config examples/mail.cfg",
        commands.lab_up,
        options=(_NAME, CONFIG),
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
        options=(_NAME, CONFIG),
    ),
    Command(
        ("cleanup",),
        "remove what a killed firewall left: rules, programs, addresses, settings",
        "sudo fixup cleanup",
        commands.cleanup,
    ),
)

COMMANDS = (*SHELL, *FIREWALL)
