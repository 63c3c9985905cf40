"""What the daemon is asked: `show` prints its reports, `clear` ends connections and says how many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import TypeVar

from appliance.cli import format
from appliance.cli.call import Call, UsageError
from appliance.cli.firewall import told, told_in_parts
from appliance.cli.output import printed, printed_parts
from appliance.cli.packets import asked, traced
from appliance.cli.wanted import addresses, hosts_wanted, translations_wanted, wanted
from appliance.config.grammar import TREES
from appliance.config.syntax import Mode
from appliance.control.protocol import (
    ClearConnections,
    ClearTranslations,
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
    Told,
    TracePacket,
)
from appliance.iptables.trace import TraceReport
from appliance.show import (
    AccessListsReport,
    AspReport,
    AttacksReport,
    Behind,
    ClearedReport,
    ConnectionsReport,
    InterfacesReport,
    LocalHostsReport,
    LoggingReport,
    NatReport,
    RunningConfigReport,
    ServicePolicyReport,
    TranslationsReport,
    TranslationsWanted,
    VersionReport,
    Wanted,
    behind,
    clock,
)

R = TypeVar("R", bound=Told)
Handler = Callable[[Call], int]


def _show(call: Call, request: Request, kind: type[R], text: Callable[[R], Iterator[str]]) -> int:
    """Ask the daemon and print its report."""
    printed(call, told(call.instance, request, kind), text)
    return 0


def _always(request: Request, kind: type[R], text: Callable[[R], Iterator[str]]) -> Handler:
    """A command that asks the same whatever stands behind it."""
    return lambda call: _show(call, request, kind, text)


# --- show -------------------------------------------------------------------------------------------------------

_policies = partial(_always, ShowServicePolicy(), ServicePolicyReport)
show_service_policy = _policies(format.service_policy)
show_service_policy_esmtp = _policies(format.service_policy_esmtp)
show_service_policy_connections = _policies(format.service_policy_connections)
show_service_policy_connections_details = _policies(partial(format.service_policy_connections, detailed=True))

show_conn_count = _always(ShowConnections(count_only=True), ConnectionsReport, format.conn_count)
show_xlate_count = _always(ShowTranslations(count_only=True), TranslationsReport, format.xlate_count)
show_nat = _always(ShowNat(), NatReport, format.nat)
show_nat_detail = _always(ShowNat(), NatReport, partial(format.nat, detailed=True))
show_asp_drop = _always(ShowAsp(), AspReport, format.asp_drop)
show_asp_queue = _always(ShowAsp(), AspReport, format.asp_queue)
show_startup_config = _always(ShowStartupConfig(), StartupConfigReport, format.startup_config)
show_version = _always(ShowVersion(), VersionReport, format.version)
show_interface_brief = _always(ShowInterfaces(), InterfacesReport, format.interface_brief)
show_logging = _always(ShowLogging(), LoggingReport, format.logging)

_detailed_attacks = partial(format.attacks, detailed=True)
show_attacks = _always(ShowAttacks(), AttacksReport, format.attacks)
show_attacks_detail = _always(ShowAttacks(), AttacksReport, _detailed_attacks)
show_attacks_all = _always(ShowAttacks(everything=True), AttacksReport, format.attacks)
show_attacks_all_detail = _always(ShowAttacks(everything=True), AttacksReport, _detailed_attacks)


def show_conn(call: Call) -> int:
    """``show conn``"""
    return _show_conn(call, "show conn", format.conn)


def show_conn_detail(call: Call) -> int:
    """``show conn detail``"""
    return _show_conn(call, "show conn detail", format.conn_detail)


def show_conn_long(call: Call) -> int:
    """``show conn long``"""
    return _show_conn(call, "show conn long", format.conn_long)


def _show_conn(call: Call, command: str, text: Callable[[Iterable[ConnectionsReport]], Iterator[str]]) -> int:
    """The report comes in parts."""
    request = ShowConnections(wanted=wanted(command, call.operands, call.instead))
    printed_parts(call, told_in_parts(call.instance, request, ConnectionsReport), text)
    return 0


def show_running_config(call: Call) -> int:
    """``show running-config [SECTION]``"""
    return _show_configuration(call, ShowRunningConfig())


def show_running_config_all(call: Call) -> int:
    """``show running-config all [SECTION]``"""
    return _show_configuration(call, ShowRunningConfig(everything=True))


def _show_configuration(call: Call, request: ShowRunningConfig) -> int:
    show_configuration(call, told(call.instance, request, RunningConfigReport))
    return 0


def show_configuration(call: Call, report: RunningConfigReport) -> None:
    """Print a configuration, or what in it begins with the words of the operands; UsageError if nothing ever does."""
    first, heads = call.operands[0].lower() if call.operands else "", TREES[Mode.CONFIGURE].keywords
    if not any(each.startswith(first) for each in heads):
        raise UsageError(f"show running-config: no statement begins so: {first}")
    shown = RunningConfigReport(tuple(format.section(report.lines, call.operands, first in heads)))
    printed(call, shown, format.running_config)


def packet_tracer(call: Call) -> int:
    """``packet-tracer input``: of the firewall that runs, or of a rule file that is named."""
    question = asked(call.operands)
    packet, file = question.packet, call.path("config")
    if file is None:
        ends = packet.source, packet.source_port, packet.destination, packet.destination_port
        report = told(call.instance, TracePacket(question.interface, packet.protocol, *ends), TraceReport)
    else:
        report = traced(file, question)
    printed(call, report, partial(format.trace, detailed=question.detailed))
    return 0


def show_local_host(call: Call) -> int:
    """``show local-host``"""
    return _show_local_host(call, "show local-host", format.local_host)


def show_local_host_brief(call: Call) -> int:
    """``show local-host brief``"""
    return _show_local_host(call, "show local-host brief", format.local_host_brief, listed=False)


def show_local_host_detail(call: Call) -> int:
    """``show local-host detail``"""
    return _show_local_host(call, "show local-host detail", format.local_host_detail)


def _show_local_host(
    call: Call, command: str, text: Callable[[Iterable[Behind]], Iterator[str]], *, listed: bool = True
) -> int:
    """Three questions: which hosts there are, and whose the connections and the translations are."""
    hosts = hosts_wanted(command, call.operands, call.instead)
    report = told(call.instance, ShowLocalHosts(), LocalHostsReport)
    ends = ShowConnections(wanted=Wanted(addresses=(hosts.addresses,) if hosts.addresses else ()))
    given = ShowTranslations(wanted=TranslationsWanted(real=hosts.addresses))
    connections = (each for part in told_in_parts(call.instance, ends, ConnectionsReport) for each in part.connections)
    translations = (
        each for part in told_in_parts(call.instance, given, TranslationsReport) for each in part.translations
    )
    interfaces = tuple(behind(report, connections, translations, hosts, listed=listed))
    printed(call, {"interfaces": interfaces}, lambda _: text(interfaces))
    return 0


def show_xlate(call: Call) -> int:
    """``show xlate``: the report comes in parts."""
    request = ShowTranslations(wanted=translations_wanted("show xlate", call.operands, call.instead))
    printed_parts(call, told_in_parts(call.instance, request, TranslationsReport), format.xlate)
    return 0


def show_interface(call: Call) -> int:
    """``show interface``"""
    name = call.operands[0] if call.operands else None
    return _show(call, ShowInterfaces(name), InterfacesReport, format.interface)


def show_clock(call: Call) -> int:
    """``show clock``: the firewall has no clock but this machine's."""
    printed(call, clock(datetime.now().astimezone()), format.clock)
    return 0


def show_access_list(call: Call) -> int:
    """``show access-list``"""
    if not call.operands:
        return _show(call, ShowAccessLists(), AccessListsReport, format.access_lists)
    return _show(call, ShowAccessLists(call.operands[0]), AccessListsReport, format.access_list)


# --- clear ------------------------------------------------------------------------------------------------------


def clear_conn(call: Call) -> int:
    """``clear conn``: ``all``, or which"""
    if not call.operands:
        raise UsageError("clear conn: incomplete command; all, address, port, protocol or state must follow")
    if call.operands[0].lower() == "all":
        return _clear(call, ClearConnections(wanted("clear conn", call.operands[1:])))
    return _clear(call, ClearConnections(wanted("clear conn", call.operands, ("all",))))


def clear_local_host(call: Call) -> int:
    """``clear local-host``"""
    hosts = addresses("clear local-host", call.operands)
    return _clear(call, ClearConnections(Wanted(addresses=(hosts,) if hosts else ())))


def clear_xlate(call: Call) -> int:
    """``clear xlate``"""
    return _clear(call, ClearTranslations(translations_wanted("clear xlate", call.operands)))


def _clear(call: Call, request: ClearConnections | ClearTranslations) -> int:
    return _show(call, request, ClearedReport, format.cleared)
