"""What operators did: an ASA's message of a command that changed something (asa.md §4.7)."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.syslog.record import Record


@dataclass(frozen=True, slots=True)
class CommandExecuted(Record):
    """A command changed what is in force, or what is kept. Whoever may open the control socket is ``enable_15``."""

    id = 111008
    severity = 5

    command: str

    def sentence(self) -> str:
        return f"User 'enable_15' executed the '{self.command}' command."
