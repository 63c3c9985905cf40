"""Workers killed again and again while a Postfix empties its queue through the box: every mail arrives, none is other.

A new worker does not know the connections of the one before and resets them (row 20); their client tries again. Only
where the cut fell behind the released end of a message and before the released reply to it does the client not know
that the server has it, and says so itself: that mail, and no other, may come twice.
"""

import os
import random
import re
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from hashlib import sha256
from types import MappingProxyType

import pytest

from appliance.lab.postfix import without_trace
from tests.e2e.box import Box
from tests.e2e.box import box as mail_system
from tests.e2e.test_mail import as_stored, message
from tests.ground import eventually

pytestmark = pytest.mark.root

LONG = bool(os.environ.get("FIXUP_LONG"))  # `make soak`
MAILS, BETWEEN = (2_000, 25) if LONG else (60, 6)  # deliveries, and how many of them between two cuts
#: What a Postfix that has to try again says; the second only if the server may have the mail.
CUT, UNKNOWN = "lost connection with", "message may be sent more than once"


class Impatient(Box):
    """One whose client tries again soon."""

    of_client = MappingProxyType(
        {
            "queue_run_delay": "1s",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "2s",
            "default_destination_concurrency_failed_cohort_limit": "0",  # a server is not given up,
            "default_destination_concurrency_negative_feedback": "0",  # nor trusted with fewer mails at once
        }
    )


@pytest.fixture
def box() -> Iterator[Box]:
    with mail_system("fxk", kind=Impatient) as made:
        yield made


def mails() -> dict[str, bytes]:
    """Recipients, half of them reached as if by way of a PIX, and what each gets."""
    dice = random.Random(2_000)
    sizes = [min(100_000, 100 + int(dice.lognormvariate(8, 1.2))) for _ in range(MAILS)]
    domains = ("pix.inside.example", "esmtp.inside.example")
    return {f"box{number}@{domains[number % 2]}": message(dice, size) for number, size in enumerate(sizes)}


def told(box: Box, host: str) -> str:
    postfix = box.client if host == "outside" else box.server
    return postfix.log.read_text(encoding="utf-8", errors="replace")


def sent(box: Box) -> int:
    """How many mails the client's Postfix is rid of."""
    return len(re.findall(r"postfix/smtp\[.* status=sent ", told(box, "outside")))


def cut_again_and_again(box: Box, mails: int) -> int:
    """Kill whoever serves the queue each time some mails have gone; how often.

    What the cut before the last has hit is over by then: each one doubles the time until a timer runs out again.
    """
    cuts = gone = 0
    killed: set[int] = set()
    hit: set[str] = set()
    before: set[str] = set()  # the cut before

    def due() -> bool:
        now = sent(box)
        return now == mails or (now >= gone + BETWEEN and bool(box.workers() - killed) and not before & open_ports(box))

    while sent(box) < mails:
        assert eventually(due, 120), f"{sent(box)} of {mails} after {cuts} cuts"
        gone, killed = sent(box), box.workers()
        before, hit = hit, open_ports(box)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        cuts += 1
    return cuts


def open_ports(box: Box) -> set[str]:
    """The ends outside of the connections through the firewall that are not over."""
    return set(re.findall(r"(203\.0\.113\.10:\d+) ", box.ground.run("outside", "ss", "-tnH", "dport", "25")))


def queue_ids(log: str, recipient: str, words: str = "") -> list[str]:
    """The queue ids under which a Postfix handled mail to `recipient` and said `words`, once for each time."""
    return re.findall(rf": ([0-9A-Za-z]+): to=<{re.escape(recipient)}>.*{re.escape(words)}", log)


def delivered(box: Box) -> dict[str, list[bytes]]:
    """By recipient, the digests of what is in the boxes."""
    found = defaultdict[str, list[bytes]](list)
    for path in (box.server.boxes / "all" / "new").iterdir():
        octets = path.read_bytes()
        recipient = octets.partition(b"\nDelivered-To: ")[2].partition(b"\n")[0].decode()
        found[recipient].append(sha256(without_trace(octets)).digest())
    return found


def test_every_mail_arrives_whole_and_twice_only_where_nobody_can_know(box: Box) -> None:
    expected = {recipient: sha256(as_stored(octets)).digest() for recipient, octets in mails().items()}
    submission = box.submission(mails())
    cuts = cut_again_and_again(box, MAILS)
    submission.result()
    assert eventually(lambda: delivered(box).keys() == expected.keys()), "the server has them all, and then the boxes"
    arrived = delivered(box)
    assert [recipient for recipient, digests in arrived.items() if set(digests) != {expected[recipient]}] == []
    outside, inside = told(box, "outside"), told(box, "inside")
    copies = Counter({recipient: len(digests) for recipient, digests in arrived.items() if len(digests) > 1})
    for recipient, number in copies.items():
        unknown = queue_ids(outside, recipient, UNKNOWN)
        print(f"{recipient}: sent as {unknown[:1]}, received as {queue_ids(inside, recipient, 'status=sent')}")
        assert number - 1 <= len(unknown), f"{recipient} came {number} times, unknown to its sender {len(unknown)}"
    print(f"{MAILS} mails, {cuts} cuts, {outside.count(CUT)} times cut off, {outside.count(UNKNOWN)} not to be known")
    print(f"{len(copies)} mails came more than once")
    assert outside.count(CUT) > 0, "the cuts did hit something"
