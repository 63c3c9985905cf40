"""What the commands do: each takes a `Call`, prints, and returns the exit code.

What needs root, the kernel's libraries or seconds to import is imported by the command that needs it.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli import format
from appliance.cli.call import Call, UsageError
from appliance.cli.firewall import told
from appliance.cli.output import printed
from appliance.config.diagnostics import Diagnostic, Severity
from appliance.config.inspections import inspections
from appliance.config.lexer import FILE_OCTETS
from appliance.config.load import Loaded, load
from appliance.control.protocol import Applied, Reload, WriteMemory, Written
from appliance.daemon.startup import Startup, here, lines_of
from appliance.syslog import one_line

if TYPE_CHECKING:
    from appliance.lab.lab import Lab

# --- run, check, cleanup ----------------------------------------------------------------------------------------


def run(call: Call) -> int:
    """``run CONFIG``: what is wrong with it, to stderr; exit 2 if there is an error.

    1 if all that is wrong is a device that this machine has not, or not yet: a service manager may try again.
    """
    (file,) = call.operands
    startup = Startup(Path(file).absolute())
    try:
        text = startup.text()
    except OSError as error:
        raise UsageError(f"run: cannot read {file}: {error.strerror}") from error
    anywhere = load(text)
    loaded = here(anywhere, lines_of(text))
    _print_diagnostics(loaded.diagnostics, file)
    if loaded.config is None:
        return 2 if anywhere.config is None else 1
    from appliance.daemon.main import run as run_daemon

    return run_daemon(loaded.config, startup, call.instance)


def reload(call: Call) -> int:
    """``reload``: what the daemon found in its rule file, to stderr; exit 2 if there is an error in it."""
    outcome = told(call.instance, Reload(), Applied)
    _print_diagnostics(outcome.findings, outcome.file)
    if not outcome.done:
        print("nothing was changed", file=sys.stderr)
        return 2
    for line in format.applied(outcome):
        print(line)
    return 0


def write_memory(call: Call) -> int:
    """``write memory``, ``copy running-config startup-config``"""
    for line in format.written(told(call.instance, WriteMemory(), Written)):
        print(line)
    return 0


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

    return clean(call.instance)


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
    told = f"starting the lab {lab.network.prefix}: its firewall compiles the kernel's program, for some 20 s …"
    print(told, file=sys.stderr, flush=True)
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
        printed(call, report, format.replay)
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
