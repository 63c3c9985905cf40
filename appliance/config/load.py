"""The front door: a rule file in, a configuration or what is wrong with it out."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.config.config import Config
from appliance.config.diagnostics import Diagnostic, Severity
from appliance.config.parser import Parsed, parse
from appliance.config.verify import verify


@dataclass(frozen=True, slots=True)
class Loaded:
    """`config` is None where `diagnostics` hold an error; they come in the file's order."""

    config: Config | None
    diagnostics: tuple[Diagnostic, ...]


def load(text: str | bytes) -> Loaded:
    """Read and verify a rule file. Never raises for what the file holds; time and memory are bounded."""
    return verified(parse(text))


def verified(parsed: Parsed) -> Loaded:
    """The same of what was read already."""
    diagnostics = sorted((*parsed.diagnostics, *verify(parsed)), key=lambda each: each.place)
    refused = any(each.severity is Severity.ERROR for each in diagnostics)
    return Loaded(None if refused else parsed.config, tuple(diagnostics))
