"""The box itself, while it is being read: what stands once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address

from appliance.config.config import Config, MetricsListen, TcpInterceptStatistics, Timeouts
from appliance.config.connection_settings import OTHER_TIMEOUTS, TIMEOUTS
from appliance.config.names import clock_text
from appliance.config.statements.accepted import AcceptedStatements, Section
from appliance.config.syntax import Mode, Statement, both
from appliance.config.versions import VERSIONS

_STATISTICS = TcpInterceptStatistics()


class Box(AcceptedStatements):
    """Name, timeouts, what watches it and what it runs on."""

    def __init__(self) -> None:
        super().__init__()
        self.box = Config()  # what stands once: hostname, workers, metrics
        self.timeouts = Timeouts()

    def release(self, product: str, number: str) -> None:
        """``ASA Version 8.2(5)``, the head of a device's configuration."""
        self.box = replace(self.box, head=f"{product} Version {number}")
        self.version = self.box.defaults

    def compatibility(self, name: str) -> None:
        self.box = replace(self.box, compatibility=name)
        self.version = self.box.defaults

    def no_compatibility(self) -> None:
        self.compatibility("")

    def hostname(self, name: str) -> None:
        self.box = replace(self.box, hostname=name)

    def no_hostname(self) -> None:
        self.hostname(Config().hostname)

    def metrics_listen(self, listen: tuple[IPv4Address, int]) -> None:
        self.box = replace(self.box, metrics=MetricsListen(*listen))

    def no_metrics_listen(self) -> None:
        self.box = replace(self.box, metrics=None)

    def inspection_workers(self, workers: int) -> None:
        self.box = replace(self.box, workers=workers, workers_line=self._line.number)

    def no_inspection_workers(self) -> None:
        self.box = replace(self.box, workers=None, workers_line=0)

    def tcp_intercept_statistics(
        self,
        rate_interval: int = _STATISTICS.rate_interval,
        burst_rate: int = _STATISTICS.burst_rate,
        average_rate: int = _STATISTICS.average_rate,
    ) -> None:
        statistics = TcpInterceptStatistics(rate_interval, burst_rate, average_rate)
        self.box = replace(self.box, tcp_intercept=statistics)

    def no_tcp_intercept_statistics(self) -> None:
        self.box = replace(self.box, tcp_intercept=None)

    def tcpmss(self, octets: int) -> None:
        self.box = replace(self.box, tcpmss=octets)

    def no_tcpmss(self) -> None:
        self.tcpmss(Config().tcpmss)

    def deny_flow_max(self, flows: int) -> None:
        self.box = replace(self.box, deny_flow_max=flows)

    def no_deny_flow_max(self) -> None:
        self.deny_flow_max(Config().deny_flow_max)

    def alert_interval(self, seconds: int) -> None:
        self.box = replace(self.box, alert_interval=seconds)

    def no_alert_interval(self) -> None:
        self.alert_interval(Config().alert_interval)

    def no_proxy_arp(self, interface: str) -> None:
        self.said("noproxyarp", interface)
        self.box = replace(self.box, no_proxy_arp=self.box.no_proxy_arp | {interface})

    def proxy_arp(self, interface: str) -> None:
        self.forgotten.add(self._line.number)
        self.unsaid("noproxyarp", interface)
        self.box = replace(self.box, no_proxy_arp=self.box.no_proxy_arp - {interface})

    def reverse_path(self, interface: str) -> None:
        self.said("reverse-path", interface)
        self.box = replace(self.box, reverse_path=self.box.reverse_path | {interface})

    def no_reverse_path(self, interface: str) -> None:
        self.forgotten.add(self._line.number)
        self.unsaid("reverse-path", interface)
        self.box = replace(self.box, reverse_path=self.box.reverse_path - {interface})

    def unnamed(self, nameif: str) -> None:
        super().unnamed(nameif)
        for thing in ("noproxyarp", "reverse-path"):
            self.unsaid(thing, nameif)
        box = self.box
        gone = {nameif}
        self.box = replace(box, no_proxy_arp=box.no_proxy_arp - gone, reverse_path=box.reverse_path - gone)

    def timeout(self, timeouts: Mapping[str, int]) -> None:
        """Those that connections have, and those that are kept alone."""
        ours = {name.replace("-", "_"): seconds for name, seconds in timeouts.items() if name in TIMEOUTS}
        others = {name: seconds for name, seconds in timeouts.items() if name not in TIMEOUTS}
        if others:
            self.accepted_once("timeout", f"WARNING: accepted, not acted on: timeout {next(iter(others))}")
        kept = tuple({**dict(self.timeouts.others), **others}.items())
        self.timeouts = replace(self.timeouts, **ours, others=kept)

    def no_timeout(self, timeouts: tuple[str, ...]) -> None:
        """Back to the default."""
        default = Timeouts()
        ours = [name.replace("-", "_") for name in timeouts if name in TIMEOUTS]
        kept = tuple(each for each in self.timeouts.others if each[0] not in timeouts)
        self.timeouts = replace(self.timeouts, **{each: getattr(default, each) for each in ours}, others=kept)


def timeout_lines(timeouts: Timeouts, everything: bool) -> Iterator[str]:
    """``timeout …``: connections in one line, as an ASA has them, the others one each."""
    yield f"timeout xlate {clock_text(timeouts.xlate)}"
    of_conn = {"half-closed": timeouts.half_closed, "udp": timeouts.udp, "icmp": timeouts.icmp}
    default = Timeouts()
    shown = {
        name: seconds
        for name, seconds in of_conn.items()
        if everything or name == "half-closed" or seconds != getattr(default, name)
    }
    words = [f"{name} {clock_text(seconds)}" for name, seconds in shown.items()]
    yield " ".join([f"timeout conn {clock_text(timeouts.conn)}", *words])
    if everything or timeouts.embryonic != default.embryonic:
        yield f"timeout embryonic {clock_text(timeouts.embryonic)}"
    for name, seconds in timeouts.others:
        yield f"timeout {name} {clock_text(seconds)}{OTHER_TIMEOUTS[name]}"


def statistics_lines(statistics: TcpInterceptStatistics | None, everything: bool) -> Iterator[str]:
    """``threat-detection statistics tcp-intercept …``"""
    line = "threat-detection statistics tcp-intercept"
    if statistics is not None:
        rates = f"burst-rate {statistics.burst_rate} average-rate {statistics.average_rate}"
        yield f"{line} rate-interval {statistics.rate_interval} {rates}"
    elif everything:
        yield f"no {line}"


STATEMENTS = {
    Mode.CONFIGURE: (
        Statement(
            "<product=PIX|ASA> Version <number:release> [<_:rest>]",
            Box.release,
            says="the head of a device's configuration: decides what is so by default",
        ),
        *both(
            f"compatibility <name={'|'.join(each.name for each in VERSIONS)}>",
            Box.compatibility,
            Box.no_compatibility,
            short="no compatibility [<_:name>]",
            says="the same in a file without that head, or another than its (ours)",
        ),
        *both(
            "hostname <name:hostname>", Box.hostname, Box.no_hostname, short="no hostname [<_:name>]", says="its name"
        ),
        *both(
            "timeout <timeouts:timeouts>",
            Box.timeout,
            Box.no_timeout,
            short="no timeout <timeouts:timeout-names>",
            says="when a connection that is silent ends; those of other protocols are accepted, not acted on",
        ),
        *both(
            "access-list deny-flow-max <flows:1-4096>",
            Box.deny_flow_max,
            Box.no_deny_flow_max,
            short="no access-list deny-flow-max [<_:1-4096>]",
            says="so many denied flows of entries with log are known at once; of more nothing is told but 106101",
        ),
        *both(
            "access-list alert-interval <seconds:1-3600>",
            Box.alert_interval,
            Box.no_alert_interval,
            short="no access-list alert-interval [<_:1-3600>]",
            says="seconds between two 106101",
        ),
        *both(
            "sysopt connection tcpmss <octets:0-65535>",
            Box.tcpmss,
            Box.no_tcpmss,
            short="no sysopt connection tcpmss [<_:0-65535>]",
            says="the largest segment that SYNs may announce; 0: any",
        ),
        *both(
            "sysopt connection tcpmss minimum <_:0-65535>",
            partial(Box.accept, head="sysopt connection tcpmss minimum", section=Section.TIMEOUTS),
            partial(Box.accept_no, head="sysopt connection tcpmss minimum", section=Section.TIMEOUTS),
            says="accepted, not acted on",
        ),
        *both(
            "sysopt noproxyarp <interface:nameif>",
            Box.no_proxy_arp,
            Box.proxy_arp,
            says="there no ARP is answered for mapped addresses",
        ),
        *both(
            "ip verify reverse-path interface <interface:nameif>",
            Box.reverse_path,
            Box.no_reverse_path,
            says="what is dropped there, as its source is routed elsewhere, is told",
        ),
        *both(
            "threat-detection statistics tcp-intercept [rate-interval <rate_interval:1-1440>]"
            " [burst-rate <burst_rate:25-2147483647>] [average-rate <average_rate:25-2147483647>]",
            Box.tcp_intercept_statistics,
            Box.no_tcp_intercept_statistics,
            short="no threat-detection statistics tcp-intercept [<_:rest>]",
            says="counts which servers are flooded, over so many minutes; SYNs a second above which it is logged",
        ),
        *both(
            "metrics listen <listen:listen>",
            Box.metrics_listen,
            Box.no_metrics_listen,
            short="no metrics listen [<_:listen>]",
            says="Prometheus metrics are served there (ours)",
        ),
        *both(
            "inspection-workers <workers:1-32>",
            Box.inspection_workers,
            Box.no_inspection_workers,
            short="no inspection-workers [<_:1-32>]",
            says="processes that inspect; default: half the cores (ours)",
        ),
    )
}
