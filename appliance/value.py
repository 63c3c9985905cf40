"""Values of which every mail makes some: frozen to whoever reads the code or checks its types, cheap to make.

What makes an instance immutable at run time as well costs 1,200 machine instructions a field, which is most of what
such a value costs; that nothing is assigned to one mypy says before anything runs (decision 21).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(kind: type[T]) -> type[T]:
    """``@dataclass(frozen=True, slots=True)`` to whoever looks."""
    return dataclass(slots=True, unsafe_hash=True)(kind)
