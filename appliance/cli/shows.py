"""What the daemon is asked: `show` prints its reports, `clear` ends connections and says how many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from appliance.cli import format
from appliance.cli.call import Call, UsageError
from appliance.cli.output import printed, printed_parts
from appliance.cli.packets import asked, traced
from appliance.cli.wanted import addresses, hosts_wanted, translations_wanted, wanted
from appliance.control.client import ask, ask_for_parts
from appliance.control.protocol import (
    ClearConnections,
    ClearTranslations,
    Request,
    ShowAccessLists,
    ShowAttacks,
    ShowConnections,
    ShowLocalHosts,
    ShowLogging,
    ShowNat,
    ShowRunningConfig,
    ShowServicePolicy,
    ShowStartupConfig,
    ShowTranslations,
    StartupConfigReport,
    Told,
    TracePacket,
)
from appliance.iptables.trace import TraceReport
from appliance.show import (
    AccessListsReport,
    AttacksReport,
    Behind,
    ClearedReport,
    ConnectionsReport,
    LocalHostsReport,
    LoggingReport,
    NatReport,
    RunningConfigReport,
    ServicePolicyReport,
    TranslationsReport,
    Wanted,
    behind,
)

R = TypeVar("R", bound=Told)


def show_service_policy(call: Call) -> int:
    """``show service-policy``"""
    return _show(call, ShowServicePolicy(), ServicePolicyReport, format.service_policy)


def show_service_policy_esmtp(call: Call) -> int:
    """``show service-policy inspect esmtp``"""
    return _show(call, ShowServicePolicy(), ServicePolicyReport, format.service_policy_esmtp)


def show_service_policy_connections(call: Call) -> int:
    """``show service-policy set connection``"""
    return _show(call, ShowServicePolicy(), ServicePolicyReport, format.service_policy_connections)


def show_service_policy_connections_details(call: Call) -> int:
    """``show service-policy set connection details``"""
    text = partial(format.service_policy_connections, detailed=True)
    return _show(call, ShowServicePolicy(), ServicePolicyReport, text)


def show_conn(call: Call) -> int:
    """``show conn``"""
    return _show_parts(call, ShowConnections(wanted=wanted("show conn", call.operands)), format.conn)


def show_conn_count(call: Call) -> int:
    """``show conn count``"""
    return _show(call, ShowConnections(count_only=True), ConnectionsReport, format.conn_count)


def show_conn_detail(call: Call) -> int:
    """``show conn detail``"""
    asked = wanted("show conn detail", call.operands)
    return _show_parts(call, ShowConnections(wanted=asked), format.conn_detail)


def show_running_config(call: Call) -> int:
    """``show running-config [SECTION]``"""
    return _show_configuration(call, ShowRunningConfig())


def show_running_config_all(call: Call) -> int:
    """``show running-config all [SECTION]``"""
    return _show_configuration(call, ShowRunningConfig(everything=True))


def _show_configuration(call: Call, request: ShowRunningConfig) -> int:
    show_configuration(call, _asked(call, request, RunningConfigReport))
    return 0


def show_configuration(call: Call, report: RunningConfigReport) -> None:
    """Print a configuration, or what in it begins with the words of the operands."""
    shown = RunningConfigReport(tuple(format.section(report.lines, call.operands)))
    printed(call, shown, format.running_config)


def packet_tracer(call: Call) -> int:
    """``packet-tracer input``: of the firewall that runs, or of a rule file that is named."""
    wanted = asked(call.operands)
    packet, file = wanted.packet, call.path("config")
    if file is None:
        ends = packet.source, packet.source_port, packet.destination, packet.destination_port
        report = _asked(call, TracePacket(wanted.interface, packet.protocol, *ends), TraceReport)
    else:
        report = traced(file, wanted)
    printed(call, report, partial(format.trace, detailed=wanted.detailed))
    return 0


def show_startup_config(call: Call) -> int:
    """``show startup-config``"""
    printed(call, _asked(call, ShowStartupConfig(), StartupConfigReport), format.startup_config)
    return 0


def show_logging(call: Call) -> int:
    """``show logging``"""
    return _show(call, ShowLogging(), LoggingReport, format.logging)


def show_local_host(call: Call) -> int:
    """``show local-host``"""
    return _show_local_host(call, "show local-host", format.local_host)


def show_local_host_brief(call: Call) -> int:
    """``show local-host brief``"""
    return _show_local_host(call, "show local-host brief", format.local_host_brief)


def show_local_host_detail(call: Call) -> int:
    """``show local-host detail``"""
    return _show_local_host(call, "show local-host detail", format.local_host_detail)


def _show_local_host(call: Call, command: str, text: Callable[[Iterable[Behind]], Iterator[str]]) -> int:
    """Two questions: which hosts there are, and whose the connections are."""
    asked = hosts_wanted(command, call.operands)
    report = _asked(call, ShowLocalHosts(), LocalHostsReport)
    ends = Wanted(addresses=(asked.addresses,) if asked.addresses else ())
    connections = (each for part in _parts(call, ShowConnections(wanted=ends)) for each in part.connections)
    interfaces = tuple(behind(report, connections, asked))
    printed(call, {"interfaces": interfaces}, lambda _: text(interfaces))
    return 0


def show_xlate(call: Call) -> int:
    """``show xlate``"""
    asked = ShowTranslations(translations_wanted("show xlate", call.operands))
    return _show(call, asked, TranslationsReport, format.xlate)


def show_xlate_count(call: Call) -> int:
    """``show xlate count``"""
    return _show(call, ShowTranslations(), TranslationsReport, format.xlate_count)


def show_nat(call: Call) -> int:
    """``show nat``"""
    return _show(call, ShowNat(), NatReport, format.nat)


def show_nat_detail(call: Call) -> int:
    """``show nat detail``"""
    return _show(call, ShowNat(), NatReport, partial(format.nat, detailed=True))


def show_access_list(call: Call) -> int:
    """``show access-list``"""
    if not call.operands:
        return _show(call, ShowAccessLists(), AccessListsReport, format.access_lists)
    return _show(call, ShowAccessLists(call.operands[0]), AccessListsReport, format.access_list)


def show_attacks(call: Call) -> int:
    """``show threat-detection statistics top tcp-intercept``"""
    return _show(call, ShowAttacks(), AttacksReport, format.attacks)


def show_attacks_detail(call: Call) -> int:
    """``show threat-detection statistics top tcp-intercept detail``"""
    return _show(call, ShowAttacks(), AttacksReport, partial(format.attacks, detailed=True))


def show_attacks_all(call: Call) -> int:
    """``show threat-detection statistics top tcp-intercept all``"""
    return _show(call, ShowAttacks(everything=True), AttacksReport, format.attacks)


def show_attacks_all_detail(call: Call) -> int:
    """``show threat-detection statistics top tcp-intercept all detail``"""
    return _show(call, ShowAttacks(everything=True), AttacksReport, partial(format.attacks, detailed=True))


def clear_conn(call: Call) -> int:
    """``clear conn``: ``all``, or which"""
    if not call.operands:
        raise UsageError("clear conn: incomplete command; all, address, port or protocol must follow")
    operands = call.operands[1:] if call.operands[0] == "all" else call.operands
    return _clear(call, ClearConnections(wanted("clear conn", operands)))


def clear_local_host(call: Call) -> int:
    """``clear local-host``"""
    asked = addresses("clear local-host", call.operands)
    return _clear(call, ClearConnections(Wanted(addresses=(asked,) if asked else ())))


def clear_xlate(call: Call) -> int:
    """``clear xlate``"""
    return _clear(call, ClearTranslations(translations_wanted("clear xlate", call.operands)))


def _clear(call: Call, request: ClearConnections | ClearTranslations) -> int:
    return _show(call, request, ClearedReport, format.cleared)


def _show(call: Call, request: Request, kind: type[R], text: Callable[[R], Iterator[str]]) -> int:
    """Ask the daemon and print its report."""
    printed(call, _asked(call, request, kind), text)
    return 0


def _asked(call: Call, request: Request, kind: type[R]) -> R:
    report = ask(call.instance / "control.sock", request)
    assert isinstance(report, kind)  # the protocol pairs requests and reports; another is our bug
    return report


def _show_parts(
    call: Call, request: ShowConnections, text: Callable[[Iterable[ConnectionsReport]], Iterator[str]]
) -> int:
    """The same where the report comes in parts."""
    printed_parts(call, _parts(call, request), text)
    return 0


def _parts(call: Call, request: ShowConnections) -> Iterator[ConnectionsReport]:
    for part in ask_for_parts(call.instance / "control.sock", request):
        assert isinstance(part, ConnectionsReport)  # as above
        yield part
