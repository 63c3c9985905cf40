"""What a daemon answers the command line's tests: one that counted what the seed lists."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from appliance import show
from appliance.config.translations import translations
from appliance.control.protocol import (
    Applied,
    ClearConnections,
    ClearTranslations,
    Configure,
    Refusal,
    Reload,
    Request,
    ShowAccessLists,
    ShowAsp,
    ShowAttacks,
    ShowConnections,
    ShowInterfaces,
    ShowLocalHosts,
    ShowLogging,
    ShowNat,
    ShowRunningConfig,
    ShowServicePolicy,
    ShowStartupConfig,
    ShowTranslations,
    ShowVersion,
    StartupConfigReport,
    TracePacket,
    WriteMemory,
    Written,
)
from appliance.control.server import Answers
from appliance.datapath.snapshot import Machine
from appliance.flow import Side
from appliance.iptables.trace import trace
from appliance.iptables.walk import Packet
from appliance.nat.connection import State
from tests.appliances import ETH0, EXAMPLE, HARDWARE, MAPPED, NOW, PLAIN, SEED, configured, connection

ENTRY = connection(State.ESTABLISHED, sent=frozenset(Side))
CONNECTIONS = [show.ConnectionsReport(2, 60, part) for part in ((), *[(show.Reporter(PLAIN).report(ENTRY, NOW),)] * 2)]


_GIVEN = replace(ENTRY, beyond=(MAPPED, 1025))
_CHOSEN = tuple(show.Chosen(PLAIN).wanted([_GIVEN], show.TranslationsWanted(), NOW))
TRANSLATIONS = [show.TranslationsReport(2, 60, part) for part in ((), _CHOSEN, _CHOSEN)]

#: What reloads come to, the last one first.
OUTCOMES: list[Applied] = []

MAIL = configured(EXAMPLE)


def answer(request: Request) -> Answers:
    """The answer to any request."""
    match request:
        case ShowServicePolicy():
            return show.service_policy(PLAIN, SEED)
        case ShowConnections(count_only=True):
            return CONNECTIONS[0]
        case ShowConnections():
            return iter(CONNECTIONS)
        case ShowRunningConfig(everything):
            return show.running_config(PLAIN, everything)
        case ShowLogging():
            return show.logging(PLAIN, SEED)
        case ShowLocalHosts():
            return show.local_hosts(PLAIN, SEED)
        case ShowTranslations(count_only=True):
            return TRANSLATIONS[0]
        case ShowTranslations():
            return iter(TRANSLATIONS)
        case ShowNat():
            return show.nat(PLAIN, [(each, 0, 0) for each in translations(PLAIN)])
        case ShowAccessLists(name=name):
            return show.access_lists(PLAIN, {}, name)
        case ShowAttacks():
            return show.AttacksReport(30, 60, False, ())
        case ShowAsp():
            return show.asp(SEED)
        case ShowVersion():
            ours = show.interfaces(HARDWARE, {"eth0": ETH0}).interfaces
            machine = Machine("x86_64", "6.1.0", "Pentium", 2, 2048)
            return show.VersionReport("0.1.0", "", "/etc/fixup/fixup.cfg", "fw", 3600, machine, 1, ours, None)
        case ShowInterfaces(name=name):
            found = show.interfaces(HARDWARE, {"eth0": ETH0}, name)
            return found if found.interfaces else Refusal(f"there is no interface {name}")
        case ClearConnections() | ClearTranslations():
            return iter((None, show.ClearedReport(2)))
        case ShowStartupConfig():
            return StartupConfigReport("/etc/fixup/fixup.cfg", ("hostname fw", "! \x1b[31m"))
        case WriteMemory():
            return Written("/etc/fixup/fixup.cfg", 2045, "0123456789abcdef0123456789abcdef", 3)
        case Reload():
            return OUTCOMES.pop()
        case TracePacket():
            ends = request.source, request.source_port, request.destination, request.destination_port
            return trace(MAIL, request.interface, Packet(request.protocol, *ends))
        case Configure():
            return Refusal("not here")
        case _:
            assert_never(request)
