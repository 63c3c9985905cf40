"""Findings of `verify`, each at the line it is about."""

from __future__ import annotations

from appliance.config.diagnostics import Diagnostic, Place, Severity
from appliance.config.lexer import Line


def error(line: Line, message: str, column: int = 0) -> Diagnostic:
    """An error at a place of `line`, at its first word if no column is said."""
    return found(Severity.ERROR, line, message, column)


def found(severity: Severity, line: Line, message: str, column: int = 0) -> Diagnostic:
    """The same of any severity."""
    return Diagnostic(severity, Place(line.number, column or line.words[0].column), message, line.text)
