"""`fixup run` and `fixup cleanup`: a rule file and a run directory in, an exit code out."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from appliance.config import diagnostics
from appliance.config.config import Config
from appliance.config.lexer import FILE_OCTETS
from appliance.config.load import load
from appliance.daemon import firewall
from appliance.daemon.daemon import Daemon
from appliance.daemon.rundir import RunDirectory
from appliance.kernel import privileges, queues
from appliance.kernel.errors import KernelError

#: Exit codes: the rule file or the command line is bad; the machine cannot or would not.
BAD_INPUT = 2
REFUSED = 1


def run(config_path: Path, run_dir: Path) -> int:
    """Run the firewall of a rule file until SIGTERM or SIGINT; the exit code."""
    config = _configuration(config_path)
    if config is None:
        return BAD_INPUT
    directory = RunDirectory(run_dir)
    try:
        privileges.require_root()
        directory.take(privileges.control_gid())
    except KernelError as error:
        return _refused(error)
    try:
        return _run(config, directory)
    except KernelError as error:
        return _refused(error)
    finally:
        directory.leave()


def cleanup(run_dir: Path) -> int:
    """Put back what a killed run left; the exit code."""
    directory = RunDirectory(run_dir)
    try:
        privileges.require_root()
        if not run_dir.exists():
            print(f"nothing to clean up in {run_dir}")
            return 0
        directory.take(privileges.control_gid())
    except KernelError as error:
        return _refused(error)
    try:
        directory.control.unlink(missing_ok=True)
        done = firewall.restore(directory)
    except KernelError as error:
        return _refused(error)
    finally:
        directory.leave()
    print(f"put back what the run in {run_dir} had changed" if done else f"nothing to clean up in {run_dir}")
    return 0


def _configuration(path: Path) -> Config | None:
    try:
        with path.open("rb") as file:
            loaded = load(file.read(FILE_OCTETS + 1))
    except OSError as error:
        print(f"fixup: cannot read {path}: {error.strerror}", file=sys.stderr)
        return None
    sys.stderr.write(diagnostics.render(loaded.diagnostics, str(path)))
    return loaded.config


def _refused(error: KernelError) -> int:
    print(f"fixup: {error}", file=sys.stderr)
    return REFUSED


def _run(config: Config, directory: RunDirectory) -> int:
    queues.require()
    daemon = Daemon(config, directory)
    try:
        daemon.start()
        daemon.serve()
    finally:
        with _deaf():
            daemon.stop()
    return 0


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """A second SIGTERM or ^C does not interrupt what is being put back."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
