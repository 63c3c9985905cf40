"""A console on a terminal or on a pipe: lines in, until there are no more or somebody leaves."""

from __future__ import annotations

import sys
from pathlib import Path

from appliance.cli.call import Call
from appliance.cli.console import Console
from appliance.config.cursor import Rejected


def console(call: Call) -> int:
    """``console``: exit 2 if stdin was a script and something in it was refused."""
    return _script(call.instance) if not sys.stdin.isatty() else _typed(call.instance)


def _typed(run_dir: Path) -> int:
    console = Console(run_dir, strict=False)
    _complete(console)
    while not console.done:
        try:
            console.execute(input(console.prompt))
        except EOFError:
            print()
            console.finish()
        except KeyboardInterrupt:
            print("^C")
    return 0


def _script(run_dir: Path) -> int:
    console = Console(run_dir, strict=True)
    for line in sys.stdin:
        print(f"{console.prompt}{line.rstrip()}", flush=True)
        console.execute(line)
        if console.done:
            break
    else:
        console.finish()
    return 2 if console.failed else 0


def _complete(console: Console) -> None:
    """TAB completes a word, ``?`` says at once what may stand here."""
    import readline  # a terminal's alone

    def complete(text: str, state: int) -> str | None:
        try:
            words = console.may_stand(readline.get_line_buffer()[: readline.get_endidx()])
        except Rejected:
            return None
        fitting = [each for each in words if each.startswith(text.lower()) or not text]
        real = [each for each in fitting if each.replace("-", "").isalnum() and each.islower()]
        found = real if text else fitting
        return f"{found[state]} " if len(found) == 1 and found == real else dict(enumerate(found)).get(state)

    readline.set_completer_delims(" \t")
    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")
    readline.parse_and_bind('"?": possible-completions')
