"""How the demonstration speaks: headings, prose, tables and claims that are checked; colour on a terminal alone."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from typing import TextIO

_WIDTH = 100
_BOLD, _DIM, _RED, _GREEN, _YELLOW = "1", "2", "31", "32", "33"


class Narrator:
    """Speaks to `out`; `wrong` counts the claims that did not hold."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._colour = out.isatty() and "NO_COLOR" not in os.environ
        self._began = time.monotonic()
        self._scene = 0
        self.wrong = 0

    def title(self, text: str) -> None:
        """The heading of the whole."""
        self._line(self._painted(text, _BOLD))

    def scene(self, text: str) -> None:
        """The heading of the next scene, with the seconds since the beginning."""
        self._scene += 1
        heading = f"{self._scene}. {text}"
        clock = f"{time.monotonic() - self._began:.0f} s"
        self._line("")
        self._line(self._painted(f"{heading} {'-' * max(1, _WIDTH - len(heading) - len(clock) - 2)} {clock}", _BOLD))

    def say(self, text: str) -> None:
        """A paragraph."""
        for line in textwrap.wrap(" ".join(text.split()), _WIDTH):
            self._line(line)

    def show(self, text: str) -> None:
        """Something as it is: a picture, a program's output."""
        for line in text.rstrip("\n").splitlines():
            self._line(self._painted(f"    {line}", _DIM))

    def compare(self, left: str, right: str, mark: str = "   ") -> None:
        """A row of two columns; in colour where they differ."""
        half = (_WIDTH - 6) // 2
        row = f"{mark} {_cut(left, half):<{half}}  {_cut(right, half)}"
        self._line(self._painted(row, _YELLOW) if left != right and mark.strip() else row)

    def claim(self, text: str, holds: bool) -> None:
        """Something that must be so, and whether it is."""
        self.wrong += not holds
        word = self._painted("ok ", _GREEN) if holds else self._painted("NOT SO ", _RED)
        self._line(f"{word} {text}")

    def _painted(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour else text

    def _line(self, text: str) -> None:
        print(text, file=self._out, flush=True)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
