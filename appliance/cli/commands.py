"""What the commands do: each takes a `Call`, prints, and returns the exit code.

What needs root, the kernel's libraries or seconds to import is imported by the command that needs it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from appliance.cli import format
from appliance.cli.call import Call, UsageError
from appliance.cli.parts import json_of_parts
from appliance.cli.wanted import wanted
from appliance.config.diagnostics import Diagnostic, Severity
from appliance.config.inspections import inspections
from appliance.config.lexer import FILE_OCTETS
from appliance.config.load import Loaded, load
from appliance.control.client import ask, ask_for_parts
from appliance.control.protocol import (
    Request,
    ShowConnections,
    ShowLogging,
    ShowRunningConfig,
    ShowServicePolicy,
)
from appliance.plain import to_plain
from appliance.show import (
    ConnectionsReport,
    LoggingReport,
    Report,
    RunningConfigReport,
    ServicePolicyReport,
)
from appliance.syslog import one_line

if TYPE_CHECKING:
    from appliance.lab.lab import Lab

R = TypeVar("R", bound=Report)
T = TypeVar("T")

#: Where an instance lives unless told otherwise (design §4).
DEFAULT_RUN_DIR = Path("/run/fixup")


def _run_dir(call: Call) -> Path:
    return call.run_dir or DEFAULT_RUN_DIR


# --- show -------------------------------------------------------------------------------------------------------


def show_service_policy(call: Call) -> int:
    """``show service-policy``"""
    return _show(call, ShowServicePolicy(), ServicePolicyReport, format.service_policy)


def show_service_policy_esmtp(call: Call) -> int:
    """``show service-policy inspect esmtp``"""
    return _show(call, ShowServicePolicy(), ServicePolicyReport, format.service_policy_esmtp)


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
    """``show running-config``"""
    return _show(call, ShowRunningConfig(), RunningConfigReport, format.running_config)


def show_running_config_all(call: Call) -> int:
    """``show running-config all``"""
    return _show(call, ShowRunningConfig(everything=True), RunningConfigReport, format.running_config)


def show_logging(call: Call) -> int:
    """``show logging``"""
    return _show(call, ShowLogging(), LoggingReport, format.logging)


def _show(call: Call, request: Request, kind: type[R], text: Callable[[R], Iterator[str]]) -> int:
    """Ask the daemon and print its report."""
    report = ask(_run_dir(call) / "control.sock", request)
    assert isinstance(report, kind)  # the protocol pairs requests and reports; another is our bug
    _print(call, report, text)
    return 0


def _show_parts(
    call: Call, request: ShowConnections, text: Callable[[Iterable[ConnectionsReport]], Iterator[str]]
) -> int:
    """The same where the report comes in parts: what has come is printed, and nothing is kept."""
    parts = (_as_connections(each) for each in ask_for_parts(_run_dir(call) / "control.sock", request))
    for line in json_of_parts(parts) if "json" in call.options else text(parts):
        print(line)
    return 0


def _as_connections(report: Report) -> ConnectionsReport:
    assert isinstance(report, ConnectionsReport)  # as above
    return report


def _print(call: Call, report: T, text: Callable[[T], Iterator[str]]) -> None:
    """A report as text, or as JSON where that was asked for."""
    if "json" in call.options:
        print(json.dumps(to_plain(report), indent=2))
    else:
        for line in text(report):
            print(line)


# --- run, check, cleanup ----------------------------------------------------------------------------------------


def run(call: Call) -> int:
    """``run CONFIG``: what is wrong with it, to stderr; exit 2 if there is an error."""
    (file,) = call.operands
    loaded = _load("run", Path(file))
    _print_diagnostics(loaded.diagnostics, file)
    if loaded.config is None:
        return 2
    from appliance.daemon.main import run as run_daemon

    return run_daemon(loaded.config, _run_dir(call))


def check(call: Call) -> int:
    """``check CONFIG``: warnings and errors to stderr, the verdict to stdout; exit 2 if there is an error."""
    (file,) = call.operands
    loaded = _load("check", Path(file))
    _print_diagnostics(loaded.diagnostics, file)
    if loaded.config is None:
        return 2
    warnings = len(loaded.diagnostics)
    print(f"{file}: no errors, {warnings} warning{'' if warnings == 1 else 's'}")
    if not any(each.number for each in inspections(loaded.config)):
        print("Nothing is inspected: no service-policy has a class with inspect esmtp.")
    print("The INPUT chain is not touched: what reaches the firewall itself is for rules of your own to decide.")
    return 0


def cleanup(call: Call) -> int:
    """``cleanup``"""
    from appliance.daemon.main import cleanup as clean

    return clean(_run_dir(call))


def _load(command: str, path: Path) -> Loaded:
    """The rule file, read no further than it may be long; UsageError if it can't be read."""
    try:
        with path.open("rb") as file:
            octets = file.read(FILE_OCTETS + 1)
    except OSError as error:
        raise UsageError(f"{command}: cannot read {path}: {error.strerror}") from error
    return load(octets)


_COLOURS = {Severity.ERROR: "\033[31m", Severity.WARNING: "\033[33m"}


def _print_diagnostics(diagnostics: tuple[Diagnostic, ...], file: str) -> None:
    """Each with its line and a caret, to stderr; coloured on a terminal alone."""
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    for each in diagnostics:
        text = each.render(file)
        print(f"{_COLOURS[each.severity]}{text}\033[0m" if colour else text, file=sys.stderr)


# --- lab --------------------------------------------------------------------------------------------------------

_LAB_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


def lab_up(call: Call) -> int:
    """``lab up``"""
    config = call.path("config") or _example()
    if not _is_good("lab up", config):
        return 2
    lab = _lab(call)
    lab.up(config)
    name = lab.network.prefix
    print(
        f"the lab {name} is up: {', '.join(lab.network.namespace(host) for host in ('outside', 'firewall', 'inside'))}"
    )
    print(f"  fixup lab exec --name {name} outside -- CMD…   runs a command outside")
    print(f"  fixup --run-dir {lab.directory} show conn    asks its firewall")
    print(f"  fixup lab down --name {name}   ends it; the firewall's log is {lab.log}")
    return 0


def lab_down(call: Call) -> int:
    """``lab down``"""
    lab = _lab(call)
    there = lab.exists
    lab.down()
    print(f"the lab {lab.network.prefix} is {'gone' if there else 'not up'}")
    return 0


def lab_exec(call: Call) -> int:
    """``lab exec HOST -- CMD…``: it replaces this process."""
    from appliance.lab.network import HOSTS

    host, *command = call.operands
    if host not in HOSTS:
        raise UsageError(f"lab exec: no such host: {host}; outside, firewall or inside")
    _lab(call).exec(host, command)


def lab_demo(call: Call) -> int:
    """``lab demo``"""
    config = call.path("config") or _example()
    if not _is_good("lab demo", config):
        return 2
    from appliance.lab.demo import demo

    return demo(_lab(call), config)


def _lab(call: Call) -> Lab:
    """The lab that ``--name`` and ``--run-dir`` speak of; KernelError without root, which all of it needs."""
    from appliance.kernel.privileges import require_root
    from appliance.lab.lab import Lab
    from appliance.lab.network import Network

    require_root("fixup lab")
    name = call.options.get("name", "fixup")
    if not _LAB_NAME.fullmatch(name):
        raise UsageError(f"--name: small letters, digits and dashes, 31 at most: {name}")
    return Lab(Network(name), call.run_dir)


def _example() -> Path:
    from appliance.lab.lab import EXAMPLE

    return EXAMPLE


def _is_good(command: str, config: Path) -> bool:
    """Whether a rule file has no errors; they are printed."""
    loaded = _load(command, config)
    if loaded.config is None:
        _print_diagnostics(loaded.diagnostics, str(config))
    return loaded.config is not None


# --- replay -----------------------------------------------------------------------------------------------------


def replay(call: Call) -> int:
    """``replay IN.pcap…``: exit 2 if a file could not be read to its end."""
    captures = [Path(each) for each in call.operands]
    out = call.path("write")
    rule_file = call.path("config")
    loaded = _load("replay", rule_file) if rule_file is not None else None
    if loaded is not None and loaded.config is None:
        _print_diagnostics(loaded.diagnostics, str(rule_file))
        return 2
    for capture in captures:
        _require_capture(capture, out)
    from appliance.replay.classes import SMTP
    from appliance.replay.replay import replay as replayed

    port = call.number("port", 1, 65535) or SMTP
    try:
        report = replayed(captures, loaded.config if loaded else None, port, "checksums" in call.options, out)
    except OSError as error:
        raise UsageError(f"replay: cannot write {out}: {error.strerror}") from error
    if report.packets or not report.faults:
        _print(call, report, format.replay)
    for fault in report.faults:
        print(f"fixup: replay: {one_line(fault)}", file=sys.stderr)
    if out is not None:
        print(f"{out}: {report.written} packets, whatever secrets they hold; only you may read it", file=sys.stderr)
    return 2 if report.faults else 0


def _require_capture(capture: Path, out: Path | None) -> None:
    """UsageError unless `capture` can be read and is not what is about to be written."""
    try:
        with capture.open("rb"):
            pass
    except OSError as error:
        raise UsageError(f"replay: cannot read {capture}: {error.strerror}") from error
    if out is not None and out.exists() and out.samefile(capture):
        raise UsageError(f"replay: {out} is read: it cannot be written as well")
