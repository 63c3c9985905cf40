"""A storm of connections: clients and a server that open, talk, close, half-close, abort and vanish at random."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
from collections.abc import Callable
from ipaddress import IPv4Address

from appliance.lab.network import MAPPED_SERVER, SERVER

PORT = 25
OPEN_AT_ONCE = 30  # by a client
ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: a close resets


def serve(seed: int, address: IPv4Address = SERVER) -> None:
    """Accept for ever; answer, close, abort or say nothing."""
    dice = random.Random(seed)
    with socket.create_server((str(address), PORT), backlog=512) as listener:
        opened: list[socket.socket] = []
        while True:
            for each in select.select([listener, *opened], [], [])[0]:
                if each is listener:
                    opened.append(listener.accept()[0])
                    continue
                with contextlib.suppress(OSError):
                    if each.recv(1000) and dice.random() < 0.5:
                        each.sendall(b"answer")
                        continue
                if dice.random() < 0.3:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                opened.remove(each)
                each.close()


def storm(
    seed: int, enough: Callable[[int], bool], address: IPv4Address = MAPPED_SERVER, patience: float = 0.002
) -> int:
    """Open connections and do with them whatever comes, until their number is `enough`; how many.

    Each is waited for `patience` s at most.
    """
    dice = random.Random(seed)
    opened: list[socket.socket] = []
    number = 0
    while not enough(number):
        number += 1
        fresh = socket.socket()
        fresh.setblocking(False)
        fresh.connect_ex((str(address), PORT))
        opened.append(fresh)
        select.select([], [fresh], [], patience)
        any_of_them = dice.choice(opened)
        with contextlib.suppress(OSError):
            match dice.randrange(4):
                case 0:
                    any_of_them.send(b"x" * dice.randrange(1, 3000))
                case 1:
                    any_of_them.shutdown(socket.SHUT_WR)
                case 2:
                    any_of_them.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                case _:
                    pass
        if len(opened) > OPEN_AT_ONCE or dice.random() < 0.5:
            opened.remove(any_of_them)
            any_of_them.close()
    for each in opened:
        each.close()
    return number
