"""What is measured here; nothing of it passes or fails.

    sudo .venv/bin/python -m bench [--rounds N] [--only WORD] [--out DIRECTORY]
    .venv/bin/python -m bench engine
    sudo .venv/bin/python -m bench counts
    sudo .venv/bin/python -m bench limits [--out DIRECTORY]
    sudo .venv/bin/python -m bench flood [--rounds N] [--only WORD] [--out DIRECTORY]

Without a word it is how fast mail goes through; `engine` is what a packet costs in Python alone, without kernel, root
or network; `counts` a mail's machine instructions, by way and process; `limits` what counting connections costs in the
kernel; `flood` what mail goes through while SYNs flood the server.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import counts, engine, flood, limits, mail


def main() -> int:
    """Run one of them; the exit code."""
    arguments = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    arguments.add_argument("what", nargs="?", default="mail", choices=["mail", "engine", "counts", "limits", "flood"])
    arguments.add_argument(
        "--rounds", type=int, default=0, help=f"rounds of each load (default {mail.ROUNDS}; of `flood` {flood.ROUNDS})"
    )
    arguments.add_argument("--only", default="", help="only loads whose name has this word")
    arguments.add_argument("--out", type=Path, default=Path("build/bench"), help="where JSON and picture go")
    given = arguments.parse_args()
    match given.what:
        case "engine":
            return engine.main()
        case "counts":
            return counts.main()
        case "limits":
            return limits.main(given.out)
        case "flood":
            return flood.main(given.rounds or flood.ROUNDS, given.only, given.out)
    return mail.main(given.rounds or mail.ROUNDS, given.only, given.out)


if __name__ == "__main__":
    sys.exit(main())
