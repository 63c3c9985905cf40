"""A whole mail system around a running firewall: servers inside, clients outside, and what the firewall says of it."""

import shutil
import smtplib
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from appliance.control.client import ask
from appliance.control.protocol import ShowConnections, ShowLogging, ShowServicePolicy
from appliance.kernel import namespaces, queues
from appliance.lab.lab import EXAMPLE, Lab
from appliance.lab.network import EXEMPT, MAPPED_EXEMPT, MAPPED_LIMITED, MAPPED_SERVER, SERVER, Network
from appliance.lab.postfix import Postfix
from tests.ground import Child, Ground

#: The client's Postfix: by the recipient's domain, which server and how.
ROUTES = f"""\
inline:{{
 {{pix.inside.example = smtp:[{MAPPED_SERVER}]}}
 {{esmtp.inside.example = esmtp:[{MAPPED_SERVER}]}}
 {{exim.inside.example = esmtp:[{MAPPED_LIMITED}]}}
 {{exempt.inside.example = esmtp:[{MAPPED_EXEMPT}]}} }}"""
DOMAINS = "pix.inside.example esmtp.inside.example exempt.inside.example"
SUBMISSION = 2525
#: s to wait for what will happen; no test measures time.
PATIENCE = 60.0


def eventually(so: Callable[[], Any], patience: float = PATIENCE) -> bool:
    """Whether it becomes so."""
    deadline = time.monotonic() + patience
    while not so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class Box:
    """The lab, its firewall's answers, and work in its hosts; `settings` are further ones of the client's Postfix."""

    def __init__(self, lab: Lab, home: Path, settings: Mapping[str, str] = {}) -> None:
        self.lab, self.home = lab, home
        self.ground = Ground(lab.network)
        self.server = Postfix(
            lab,
            "inside",
            home / "server",
            "smtp",
            {"inet_interfaces": f"{SERVER}, {EXEMPT}", "virtual_mailbox_domains": DOMAINS},
        )
        self.client = Postfix(
            lab,
            "outside",
            home / "client",
            f"127.0.0.1:{SUBMISSION}",
            {
                "myhostname": "client.outside.example",
                "virtual_mailbox_domains": "",
                "transport_maps": ROUTES,
                "smtp_tls_security_level": "may",
                "smtp_destination_concurrency_limit": "10",
                "header_size_limit": "1000000",
                **settings,
            },
            services="esmtp unix - - n - - smtp -o smtp_pix_workarounds=\n",
        )

    def start(self) -> None:
        """Start both mail systems."""
        self.server.start()
        self.client.start()

    def outside(self, work: Callable[[], Any]) -> Child:
        """`work` in a process outside."""
        return self.ground.beside("outside", work)

    def submission(self, mails: dict[str, bytes]) -> Child:
        """Give the client's Postfix a message for each recipient; lines end in LF here, in CRLF there."""

        def hand_over() -> None:
            with smtplib.SMTP("127.0.0.1", SUBMISSION, timeout=30) as postfix:
                for recipient, message in mails.items():
                    postfix.sendmail(
                        "alice@outside.example", recipient, message.replace(b"\n", b"\r\n"), ["BODY=8BITMIME"]
                    )

        return self.outside(hand_over)

    def submit(self, mails: dict[str, bytes]) -> None:
        """The same, and it has them all."""
        self.submission(mails).result(60)

    def engine(self) -> dict[str, int]:
        """The engine's counters, as the metrics have them: ``octets_inspected`` and the like."""
        with (
            self.ground.within("firewall"),
            urllib.request.urlopen("http://127.0.0.1:9137/metrics", timeout=10) as page,
        ):
            families = text_string_to_metric_families(page.read().decode())
            samples = [sample for family in families for sample in family.samples]
        return {each.labels["event"]: int(each.value) for each in samples if each.name == "fixup_engine_events_total"}

    def inspected(self) -> dict[str, int]:
        """The inspecting class's counters: packets, drops, parameters and match lines by their words."""
        report = ask(self.lab.directory / "control.sock", ShowServicePolicy())
        inspection = next(each.inspection for each in report.policies[0].classes if each.inspection)
        matches = {each.match: each.packet for each in inspection.matches}
        return {"packet": inspection.packet, "drop": inspection.drop, **inspection.parameters, **matches}

    def log(self) -> tuple[str, ...]:
        """The memory buffer's lines."""
        return ask(self.lab.directory / "control.sock", ShowLogging()).lines

    def connections(self) -> int:
        """How many connections are in use."""
        return int(ask(self.lab.directory / "control.sock", ShowConnections()).in_use)

    def workers(self) -> set[int]:
        """The processes that serve a queue."""
        with self.ground.within("firewall"):
            return {each.worker_pid for each in queues.uses()}

    def firewall(self) -> list[int]:
        """The firewall's processes."""
        return namespaces.processes(self.lab.network.namespace("firewall"))


def smtp(server: IPv4Address, *, timeout: float = 10.0) -> smtplib.SMTP:
    """A client's connection to a mapped address, for use in a child outside."""
    return smtplib.SMTP(str(server), 25, "client.outside.example", timeout)


@contextmanager
def workspace() -> Iterator[Path]:
    """A directory that every user may enter: Postfix's is not root."""
    home = Path(tempfile.mkdtemp(prefix="fixup-e2e-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def box(prefix: str, config: Path = EXAMPLE, **network: Any) -> Iterator[Box]:
    """A box up and running, and nothing of it afterwards."""
    with workspace() as home:
        lab = Lab(Network(prefix, **network), home / "run")
        lab.up(config)
        try:
            made = Box(lab, home)
            made.start()
            yield made
            made.ground.end()
        finally:
            lab.down()


def fixup(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    """The command `fixup` with these words, in the firewall's host."""
    with namespaces.within(lab.network.namespace("firewall")):
        return subprocess.run([FIXUP, *words], capture_output=True, text=True, timeout=60, check=False)


FIXUP = str(Path(__file__).parents[2] / ".venv" / "bin" / "fixup")
