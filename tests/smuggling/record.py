"""Asks every server and writes readings.json (as root): ``.venv/bin/python -m tests.smuggling.record``"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.e2e.exim import PROGRAM
from tests.smuggling.ours import ours
from tests.smuggling.sequences import FIRST, LEADING, LONGEST, OCTETS, matrix, spell
from tests.smuggling.servers import BODY, END, NAMES, SERVERS, Asker, Server, ask, servers

TABLE = Path(__file__).with_name("readings.json")
ABOUT = """
`matrix` has a row for each place and sequence of row 9's set. In a message a reading is body, end (the server left the
message somewhere in the sequence) or refused; out of DATA it is the codes of its replies to the sequence and two QUITs
behind it, one for each line it read until it closed. `ours` is what the firewall makes of the same octets: out of DATA
the number of lines it read.
`ends` has for each server the shortest sequences of up to five octets, as the first of a message, that are no body:
every sequence that begins with none of them was tried and is. `last` and `next`: an end, decided by the sequence's
last octet, or by whatever comes behind it.
"""

#: Connections to a server at once: Exim takes its time to begin and to end one.
AT_ONCE = 8


def ends(asker: Asker) -> dict[str, str]:
    """The shortest sequences that are not body: ``last`` or ``next``, the octet that decides an end, or ``refused``."""
    found = {}
    open_ends = [b""]
    for _ in range(LONGEST):
        longer = [sequence + octet for sequence in open_ends for octet in OCTETS]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            readings = dict(
                zip(longer, pool.map(lambda each: asker.reading(LEADING[FIRST], each), longer), strict=True)
            )
        for sequence, reading in readings.items():
            if reading == END:
                reading = "next" if asker.waits(LEADING[FIRST], sequence) else "last"
            if reading != BODY:
                found[spell(sequence)] = reading
        open_ends = [each for each, reading in readings.items() if reading == BODY]
    return found


def rows_of(server: Server) -> list[str]:
    """Its column of the matrix."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda row: ask(server, *row), matrix()))


def version(server: Server) -> str:
    """As the program tells it."""
    commands = {
        "postfix": ["postconf", "-d", "mail_version"],
        "exim": [str(PROGRAM), "-bV"],
        "aiosmtpd": [".venv/bin/python", "-m", "aiosmtpd", "--version"],
    }
    command = commands[server.name.partition("-")[0]]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return re.findall(r"\d+\.[\w.]+", told)[0]


def main() -> None:
    with servers(f"fxs{os.getpid()}") as ground:

        def inside(work: Callable[[], Any]) -> Any:
            return ground.beside("inside", work).result(1200)

        rows = []
        readings = {server.name: inside(lambda server=server: rows_of(server)) for server in SERVERS}
        for number, (place, sequence) in enumerate(matrix()):
            answers = {name: readings[name][number] for name in NAMES}
            rows.append({"place": place, "sequence": spell(sequence), **answers, "ours": ours(place, sequence)})
        table = {
            "about": ABOUT.split("\n")[1:-1],
            "servers": {each.name: {"version": version(each), "settings": each.settings} for each in SERVERS},
            "ends": {each.name: inside(lambda each=each: ends(Asker(each))) for each in SERVERS},
            "matrix": rows,
        }
    text = json.dumps(table, indent=1)
    # A row of the matrix is a line of the file.
    text = re.sub(r"\{\s+(\"place\"[^}]*?)\s+\}", lambda row: "{" + re.sub(r"\s*\n\s*", " ", row[1]) + "}", text)
    TABLE.write_text(text + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
