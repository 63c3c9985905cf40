"""Which connections are meant: ASA's words, and in what words the rest is refused."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from appliance.cli.call import UsageError
from appliance.cli.wanted import hosts_wanted, translations_wanted, wanted
from appliance.show import AddressRange, HostsWanted, PortRange, Progress, TranslationsWanted, Wanted


def span(first: str, last: str) -> AddressRange:
    return AddressRange(IPv4Address(first), IPv4Address(last))


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("", Wanted()),
        ("address 192.0.2.25", Wanted(addresses=(span("192.0.2.25", "192.0.2.25"),))),
        ("address 192.0.2.1-192.0.2.9", Wanted(addresses=(span("192.0.2.1", "192.0.2.9"),))),
        ("address 192.0.2.77 netmask 255.255.255.0", Wanted(addresses=(span("192.0.2.0", "192.0.2.255"),))),
        (
            "address 192.0.2.1 address 203.0.113.10",
            Wanted(addresses=(span("192.0.2.1", "192.0.2.1"), span("203.0.113.10", "203.0.113.10"))),
        ),
        ("port 25", Wanted(ports=(PortRange(25, 25),))),
        ("port smtp", Wanted(ports=(PortRange(25, 25),))),
        ("port netbios-ssn", Wanted(ports=(PortRange(139, 139),))),
        ("port 0-65535 port smtp-https", Wanted(ports=(PortRange(0, 65535), PortRange(25, 443)))),
        ("protocol tcp", Wanted()),
        ("protocol 6", Wanted()),
        ("protocol udp", Wanted(tcp=False)),
        ("protocol 17", Wanted(tcp=False)),
        ("state up,finin", Wanted(states=(Progress.UP, Progress.FIN_IN))),
        ("State UP Port SMTP PROTOCOL TCP", Wanted(ports=(PortRange(25, 25),), states=(Progress.UP,))),
        ("state dead port 25", Wanted(ports=(PortRange(25, 25),), states=(Progress.DEAD,))),
    ],
)
def test_meant(words: str, meant: Wanted) -> None:
    assert wanted("show conn", words.split()) == meant


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("foo", "unknown word: foo; count, detail, address, netmask, port, protocol or state may follow"),
        ("detial", "unknown word: detial; is detail meant?"),
        ("port 25 detail", "unknown word: detail; address, netmask, port, protocol or state may follow"),
        ("address 192.0.2.0/24", "address: a range is written A-B, not with a slash: 192.0.2.0/24"),
        ("address", "address: incomplete command"),
        ("address 192.0.2", "address: neither an address nor a range of them: 192.0.2"),
        ("address 192.0.2.9-192.0.2.1", "address: the range ends before it begins: 192.0.2.9-192.0.2.1"),
        ("address 192.0.2.9-", "address: neither an address nor a range of them: 192.0.2.9-"),
        (" ".join(["address 192.0.2.9"] * 3), "address: a connection has two ends: 192.0.2.9"),
        ("netmask 255.0.0.0", "netmask: behind an address only: 255.0.0.0"),
        ("address 192.0.2.9 netmask 255.0.255.0", "netmask: not a mask: 255.0.255.0"),
        ("port 65536", "port: neither a port nor a range of them: 65536"),
        ("port ٢٥", "port: neither a port nor a range of them: ٢٥"),
        ("port 9-1", "port: the range ends before it begins: 9-1"),
        ("port 1 port 2 port 3", "port: a connection has two ends: 3"),
        ("protocol gre", "protocol: neither tcp nor udp: gre"),
        ("state asleep", "state: states are up, conn_inbound, data_in, data_out, finin, finout, smtp_data,"),
    ],
)
def test_refused(words: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        wanted("show conn", words.split(), ("count", "detail"))
    assert str(refused.value).startswith(f"show conn: {why}")


HERE = span("192.0.2.25", "192.0.2.25")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("", TranslationsWanted()),
        ("local 192.0.2.25", TranslationsWanted(real=HERE)),
        (
            "global 203.0.113.1-203.0.113.9 interface inside,dmz",
            TranslationsWanted(mapped=span("203.0.113.1", "203.0.113.9"), interfaces=("inside", "dmz")),
        ),
    ],
)
def test_meant_translations(words: str, meant: TranslationsWanted) -> None:
    assert translations_wanted("show xlate", words.split()) == meant


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("", HostsWanted()),
        ("192.0.2.25", HostsWanted(HERE)),
        ("connection tcp 5", HostsWanted(connections=range(5, 1 << 31))),
        ("Connection TCP 5", HostsWanted(connections=range(5, 1 << 31))),
        ("192.0.2.25 connection embryonic 2-3", HostsWanted(HERE, embryonic=range(2, 4))),
    ],
)
def test_meant_hosts(words: str, meant: HostsWanted) -> None:
    assert hosts_wanted("show local-host", words.split()) == meant


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("here", "unknown word: here; an address, brief or connection may follow"),
        ("address", "unknown word: address; an address, brief or connection may follow"),
        ("BREIF", "unknown word: BREIF; is brief meant?"),
        ("192.0.2", "neither an address nor a range of them: 192.0.2"),
        ("192.0.2.25 tcp 5", "unknown word: tcp; connection may follow"),
        ("connection", "connection: incomplete command"),
        ("connection sctp 5", "connection: unknown word: sctp; tcp or embryonic may follow"),
        ("connection tcp many", "connection: tcp: neither a number nor a range of them: many"),
    ],
)
def test_refused_hosts(words: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        hosts_wanted("show local-host", words.split(), ("brief",))
    assert str(refused.value) == f"show local-host: {why}"
