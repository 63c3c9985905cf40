"""Writes what tshark makes of every capture here into NAME.json, beside what the firewall makes of it.

    .venv/bin/python -m tests.captures.record        # needs Debian's package tshark, and only here

tshark puts the TCP streams together (``-z follow,tcp,raw,N``); where the messages lie in them is read off its output
by the simplest rule there is: a server's turn with a line of 354 lets one begin, CR LF . CR LF ends it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from itertools import count
from pathlib import Path
from typing import Any

from tests.captures.summary import CAPTURES, summary

FOLLOW = "tshark -r {file} -q -o tcp.check_checksum:FALSE -z follow,tcp,raw,{stream}"
CLIENT, SERVER = "client", "server"


def turns(path: Path, stream: int) -> tuple[str, list[tuple[str, bytes]]]:
    """The client's end of a stream, and who sent what, in order; ("", []) if there is no such stream."""
    command = FOLLOW.format(file=path, stream=stream).split()
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    nodes = [line.partition(": ")[2] for line in lines if line.startswith("Node ")]
    if not nodes or nodes[0] == ":0":
        return "", []
    told = [line for line in lines[lines.index(f"Node 1: {nodes[1]}") + 1 :] if not line.startswith("=")]
    first = nodes[0].replace(":", "/")
    return first, [(SERVER if line.startswith("\t") else CLIENT, bytes.fromhex(line.strip())) for line in told]


def messages(told: list[tuple[str, bytes]]) -> list[bytes]:
    """The messages of a stream, CR LF . CR LF included."""
    found = []
    text: bytes | None = None
    for who, octets in told:
        if who == SERVER:
            if text is None and b"\n354" in b"\n" + octets:
                text = b"\r\n"
            continue
        while text is not None and octets:
            text, octets = text + octets, b""
            end = text.find(b"\r\n.\r\n")
            if end >= 0:
                found.append(text[2 : end + 5])
                text, octets = None, text[end + 5 :]
    return found


def digest(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def reassembled(path: Path) -> dict[str, Any]:
    """tshark's account of a capture: by the client's end, octets and digest of both streams and of the messages."""
    found = {}
    for stream in count():
        client, told = turns(path, stream)
        if not client:
            return found
        if not told:
            continue  # a stray packet: no connection
        sides = {side: b"".join(octets for who, octets in told if who == side) for side in (CLIENT, SERVER)}
        found[client] = {
            "streams": {side: [len(octets), digest(octets)] for side, octets in sides.items()},
            "messages": [[len(each), digest(each)] for each in messages(told)],
        }
    raise AssertionError


def main() -> None:
    for path in CAPTURES:
        golden = {
            "tshark": {
                "command": FOLLOW.format(file=path.name, stream="N"),
                "version": subprocess.run(
                    ["tshark", "--version"], capture_output=True, text=True, check=True
                ).stdout.split()[2],
                "connections": reassembled(path),
            },
            "fixup": summary(path),
        }
        path.with_suffix(".json").write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
