"""A whole mail system around a running firewall: servers inside, clients outside."""

import smtplib
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import Any, ClassVar, TypeVar

from prometheus_client.parser import text_string_to_metric_families

from appliance.control.protocol import ShowServicePolicy
from appliance.lab.network import EXEMPT, MAPPED_EXEMPT, MAPPED_LIMITED, MAPPED_SERVER, SERVER
from appliance.lab.postfix import Postfix
from tests.appliances import EXAMPLE
from tests.e2e.firewall import Firewall, firewall
from tests.ground import Child

#: The client's Postfix: by the recipient's domain, which server and how.
ROUTES = f"""\
inline:{{
 {{pix.inside.example = smtp:[{MAPPED_SERVER}]}}
 {{esmtp.inside.example = esmtp:[{MAPPED_SERVER}]}}
 {{exim.inside.example = esmtp:[{MAPPED_LIMITED}]}}
 {{exempt.inside.example = esmtp:[{MAPPED_EXEMPT}]}} }}"""
DOMAINS = "pix.inside.example esmtp.inside.example exempt.inside.example"
SUBMISSION = 2525
#: How the client's Postfix sends as if it knew nothing of a PIX.
PLAIN = "unix - - n - - smtp -o smtp_pix_workarounds="


class Box(Firewall):
    """A firewall between two Postfixes, which have further settings."""

    of_server: ClassVar[Mapping[str, str]] = {}
    of_client: ClassVar[Mapping[str, str]] = {}
    #: Ways of the client's to send: master.cf's lines.
    services: ClassVar[str] = f"esmtp {PLAIN}\n"

    def __post_init__(self) -> None:
        self.server = Postfix(
            self.lab,
            "inside",
            self.home / "server",
            "smtp",
            {"inet_interfaces": f"{SERVER}, {EXEMPT}", "virtual_mailbox_domains": DOMAINS, **self.of_server},
        )
        self.client = Postfix(
            self.lab,
            "outside",
            self.home / "client",
            f"127.0.0.1:{SUBMISSION}",
            {
                "myhostname": "client.outside.example",
                "virtual_mailbox_domains": "",
                "transport_maps": ROUTES,
                "smtp_tls_security_level": "may",
                "smtp_destination_concurrency_limit": "10",
                "header_size_limit": "1000000",
                **self.of_client,
            },
            services=self.services,
        )

    def start(self) -> None:
        """Start both mail systems."""
        with ThreadPoolExecutor() as threads:
            list(threads.map(Postfix.start, (self.server, self.client)))

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
        report = self.answer(ShowServicePolicy())
        inspection = next(each.inspection for each in report.policies[0].classes if each.inspection)
        matches = {each.match: each.packet for each in inspection.matches}
        return {"packet": inspection.packet, "drop": inspection.drop, **inspection.parameters, **matches}


def smtp(server: IPv4Address, *, timeout: float = 10.0) -> smtplib.SMTP:
    """A client's connection to a mapped address, for use in a child outside."""
    return smtplib.SMTP(str(server), 25, "client.outside.example", timeout)


B = TypeVar("B", bound=Box)


@contextmanager
def box(prefix: str, text: str = EXAMPLE, kind: type[B] = Box, **network: Any) -> Iterator[B]:  # type: ignore[assignment]  # B is it
    """A box up and running, and nothing of it afterwards."""
    with firewall(prefix, text, kind, **network) as made:
        made.start()
        yield made
