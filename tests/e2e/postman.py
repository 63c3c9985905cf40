"""A mail server and its clients in a few lines, many connections at once: what they say to each other is digests."""

import asyncio
import contextlib
import hashlib
import random
import time
from collections.abc import Callable

from appliance.lab.network import MAPPED_SERVER, SERVER

PARALLEL = 50
LIMIT = 8 << 20  # octets of a message


def postman(mails: int, backlog: int = 512) -> Callable[[], None]:
    """A mail server for so many connections; it answers a message with its digest."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 postman.inside.example ESMTP Post\r\n")
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                verb = line[:4].upper().rstrip()
                if verb == b"DATA":
                    writer.write(b"354 go ahead\r\n")
                    message = await reader.readuntil(b"\r\n.\r\n")
                    writer.write(b"250 " + hashlib.sha256(message).hexdigest().encode() + b"\r\n")
                elif verb == b"EHLO":
                    writer.write(b"250-postman\r\n250-STARTTLS\r\n250 SIZE 10000000\r\n")
                else:
                    writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    break
            writer.close()

    async def serve() -> None:
        over, done = 0, asyncio.Event()

        async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal over
            await talk(reader, writer)
            over += 1
            if over >= mails:
                done.set()

        server = await asyncio.start_server(count, str(SERVER), 25, backlog=backlog, limit=LIMIT)
        async with server:
            await done.wait()

    return lambda: asyncio.run(serve())


def client(
    count: int,
    message: bytes,
    to: str = str(MAPPED_SERVER),
    *,
    inspected: bool = True,
    parallel: int = PARALLEL,
    within: float = 600.0,
    delivered: Callable[[], None] = lambda: None,
) -> Callable[[], list[str]]:
    """So many sessions, `parallel` at once, each with a message, all of them `within` s; what went wrong.

    `delivered` is called with each that went well.
    """

    now = time.monotonic  # as the loop's clock
    began = now()

    async def one(number: int) -> str:
        replies: list[bytes] = []
        try:
            async with asyncio.timeout_at(min(now() + 20, began + within)):
                reader, writer = await asyncio.open_connection(to, 25)
                replies.append(await reader.readline())
                for line, many in ((b"EHLO outside", 3), (b"MAIL FROM:<a@b>", 1), (b"RCPT TO:<c@d>", 1), (b"DATA", 1)):
                    writer.write(line + b"\r\n")
                    replies += [await reader.readline() for _ in range(many)]
                writer.write(message)
                replies.append(await reader.readline())
                writer.write(b"QUIT\r\n")
                replies.append(await reader.readline())
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError) as error:
            return f"{number}: {error!r} behind {replies}"
        masked = replies[0].startswith(b"220 ****") and replies[2] == b"250-XXXXXXXA\r\n"
        masked |= not inspected
        whole = replies[-2] == b"250 " + hashlib.sha256(message).hexdigest().encode() + b"\r\n"
        if not (masked and whole and replies[-1] == b"221 bye\r\n"):
            return f"{number}: {replies}"
        delivered()
        return ""

    async def all_of_them() -> list[str]:
        nonlocal began
        gate, began = asyncio.Semaphore(parallel), now()

        async def gated(number: int) -> str:
            async with gate:
                return await one(number)

        return [wrong for wrong in await asyncio.gather(*map(gated, range(count))) if wrong]

    return lambda: asyncio.run(all_of_them())


def letter(size: int) -> bytes:
    dice = random.Random(size)
    lines = [bytes(dice.choices(b"abcdefghij ", k=70)) for _ in range(size // 72)]
    return b"\r\n".join([b"Subject: letter", b"", *lines]) + b"\r\n.\r\n"
