"""The firewall that runs, as the commands ask it: a question in, the report that answers it out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from appliance.control.client import ask, ask_for_parts
from appliance.control.protocol import Request, Told
from appliance.daemon.rundir import RunDirectory

R = TypeVar("R", bound=Told)


def told(run_dir: Path, request: Request, kind: type[R]) -> R:
    """What the firewall of `run_dir` tells, which is of `kind`; ControlError if it tells nothing."""
    report = ask(RunDirectory(run_dir).control, request)
    assert isinstance(report, kind)  # the protocol pairs requests and reports; another is our bug
    return report


def told_in_parts(run_dir: Path, request: Request, kind: type[R]) -> Iterator[R]:
    """The same in parts, as they come."""
    for part in ask_for_parts(RunDirectory(run_dir).control, request):
        assert isinstance(part, kind)  # as above
        yield part
