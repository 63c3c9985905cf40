"""The statements of translation of every version, as they are printed."""

from __future__ import annotations

from typing import assert_never

from appliance.config.names import PLAIN, Spelling
from appliance.config.nat import (
    GlobalStatement,
    ManualNat,
    NatStatement,
    ObjectNat,
    PolicyStaticStatement,
    StaticStatement,
    TranslationStatement,
)
from appliance.config.statements.early_translations import global_line, nat_line, policy_static_line, static_line
from appliance.config.statements.object_translations import manual_line, object_line


def translation_line(statement: TranslationStatement, spelling: Spelling = PLAIN) -> str:
    """The statement; that of an object without its head."""
    match statement:
        case StaticStatement():
            return static_line(statement, spelling)
        case PolicyStaticStatement():
            return policy_static_line(statement, spelling)
        case NatStatement():
            return nat_line(statement, spelling)
        case GlobalStatement():
            return global_line(statement)
        case ObjectNat():
            return object_line(statement, spelling)
        case ManualNat():
            return manual_line(statement)
        case other:
            assert_never(other)
