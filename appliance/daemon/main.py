"""`fixup run` and `fixup cleanup`: a configuration and a run directory in, an exit code out."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from appliance.config.config import Config
from appliance.daemon import firewall
from appliance.daemon.daemon import Daemon
from appliance.daemon.rundir import RunDirectory
from appliance.daemon.startup import Startup
from appliance.daemon.worker import QUEUE_BASE
from appliance.kernel import privileges, queues
from appliance.kernel.errors import KernelError
from appliance.marks import WORKER

#: Workers at most, and so queues: one for each number that fits in the mark.
WORKERS = WORKER.top + 1
#: The exit code when the machine cannot or would not.
REFUSED = 1


def run(config: Config, startup: Startup, run_dir: Path) -> int:
    """Run the firewall of a verified rule file until SIGTERM or SIGINT; the exit code. A reload reads `startup`."""
    directory = RunDirectory(run_dir)
    try:
        privileges.require_root("fixup run")
        directory.take(privileges.control_gid())
    except KernelError as error:
        return _refused(error)
    try:
        return _run(config, startup, directory)
    except KernelError as error:
        return _refused(error)
    finally:
        directory.leave()


def cleanup(run_dir: Path) -> int:
    """Put back what a killed run left; the exit code."""
    directory = RunDirectory(run_dir)
    try:
        privileges.require_root("fixup cleanup")
        queues.require_free(QUEUE_BASE, WORKERS)
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


def _refused(error: KernelError) -> int:
    print(f"fixup: {error}", file=sys.stderr)
    return REFUSED


def _run(config: Config, startup: Startup, directory: RunDirectory) -> int:
    queues.require()
    queues.require_free(QUEUE_BASE, WORKERS)
    daemon = Daemon(config, startup, directory)
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
