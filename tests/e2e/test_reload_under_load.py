"""Mails in flight while the configuration changes under them, over and over: each arrives, once, as it was sent."""

import asyncio
import os
import random
import resource
from dataclasses import dataclass

import pytest

from appliance.lab.network import MAPPED_SERVER, SERVER
from tests.e2e.exchange import CONFIGURATION, SWAPPED, Exchanged
from tests.e2e.firewall import Firewall, under
from tests.e2e.test_reload import BAD

pytestmark = pytest.mark.root

LONG = bool(os.environ.get("FIXUP_LONG"))
#: Mails, and reloads; at full length with ``make reloads``.
MAILS, RELOADS = (1_000, 50) if LONG else (100, 6)
PATIENCE = 300.0 if LONG else 60.0  # s
#: The pauses of a client, each until some more reloads are over.
PAUSES = 8


def message(number: int) -> bytes:
    body = random.Random(number).randbytes(3_000).hex()
    lines = "\r\n".join(body[start : start + 70] for start in range(0, len(body), 70))
    return f"Subject: {number}\r\n\r\n{lines}\r\n".encode()


def room_for_sockets() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * MAILS + 100, 2 * MAILS + 100))


class Mailbox:
    """A server that keeps what it is sent until every client has said QUIT."""

    def __call__(self) -> list[bytes]:
        room_for_sockets()
        return asyncio.run(self._serve())

    async def _serve(self) -> list[bytes]:
        self._kept: list[bytes] = []
        self._quits = asyncio.Semaphore(0)
        async with await asyncio.start_server(self._converse, str(SERVER), 25, backlog=1_024):
            for _ in range(MAILS):
                await self._quits.acquire()
        return self._kept

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.inside.example ESMTP\r\n")
        while (line := await reader.readline()) and not line.startswith(b"QUIT"):
            if line.startswith(b"DATA"):
                writer.write(b"354 go ahead\r\n")
                self._kept.append((await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n"))
            writer.write(b"250 ok\r\n")
        writer.write(b"221 bye\r\n")
        writer.close()
        self._quits.release()


@dataclass
class Clients:
    """Who sends the mails. An octet is read from `reloads` for each that is over."""

    reloads: int

    def __call__(self) -> list[str]:
        room_for_sockets()
        return asyncio.run(self._send_all())

    async def _send_all(self) -> list[str]:
        self._over = [asyncio.Event() for _ in range(RELOADS + 1)]
        self._over[0].set()
        asyncio.get_running_loop().add_reader(self.reloads, self._reloaded)
        return [each for each in await asyncio.gather(*map(self._reported, range(MAILS))) if each]

    def _reloaded(self) -> None:
        for _ in os.read(self.reloads, 100):
            next(each for each in self._over if not each.is_set()).set()

    async def _reported(self, number: int) -> str:
        """What went wrong with a mail, if anything."""
        try:
            await self._send(number)
        except (OSError, AssertionError, TimeoutError) as error:
            return f"{number}: {type(error).__name__} {error}"
        return ""

    async def _send(self, number: int) -> None:
        moments = iter(sorted(random.Random(number).choices(range(RELOADS + 1), k=PAUSES)))

        async def after_some_reloads() -> None:
            await self._over[next(moments)].wait()

        async def told(code: bytes, octets: bytes) -> None:
            await after_some_reloads()
            writer.write(octets)
            answer = await asyncio.wait_for(reader.readline(), PATIENCE)
            assert answer.startswith(code), (octets[:20], answer)

        await after_some_reloads()
        reader, writer = await asyncio.wait_for(asyncio.open_connection(str(MAPPED_SERVER), 25), PATIENCE)
        await told(b"220", b"")
        await told(b"250", b"EHLO client.outside.example\r\n")
        await told(b"250", b"MAIL FROM:<alice@outside.example>\r\n")
        await told(b"250", b"RCPT TO:<bob@inside.example>\r\n")
        await told(b"354", b"DATA\r\n")
        text = message(number) + b".\r\n"
        writer.write(text[:2_000])
        await told(b"250", text[2_000:])
        await told(b"221", b"QUIT\r\n")
        writer.close()


def test_no_mail_is_lost_and_a_bad_file_in_between_changes_nothing(standing: Firewall) -> None:
    with under(standing, CONFIGURATION, Exchanged) as firewall:
        over, count = os.pipe()
        mailbox = firewall.serve(Mailbox())
        clients = firewall.outside(Clients(over))
        for number in range(RELOADS):
            for text, code in ((BAD, 2), ((CONFIGURATION, SWAPPED)[number % 2 == 0], 0)):
                assert firewall.reload(text)[0] == code
            os.write(count, b"!")
        assert clients.result(PATIENCE) == []
        assert sorted(mailbox.result(PATIENCE)) == sorted(map(message, range(MAILS)))
