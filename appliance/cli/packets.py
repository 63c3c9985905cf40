"""The packet that `packet-tracer` is asked about: ``outside tcp 203.0.113.10 40000 203.0.113.125 smtp``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

from appliance.cli.call import UsageError
from appliance.config.load import load
from appliance.config.names import PORTS
from appliance.iptables.trace import TraceReport, trace
from appliance.iptables.walk import Packet

_COMMAND = "packet-tracer input"


@dataclass(frozen=True, slots=True)
class Asked:
    """A packet, where it comes in, and whether the rules it meets are to be told."""

    interface: str
    packet: Packet
    detailed: bool


def asked(operands: Sequence[str]) -> Asked:
    """What the operands say; UsageError where they don't."""
    detailed = operands[-1:] == ("detailed",)
    words = iter(operands[: len(operands) - detailed])
    interface, protocol = _word(words, "IFC"), _word(words, "tcp, udp or icmp")
    if protocol not in ("tcp", "udp", "icmp"):
        raise UsageError(f"{_COMMAND}: unknown word: {protocol}; tcp, udp or icmp may follow")
    source = _address(words, "SRC")
    first = _number(words, protocol, "TYPE" if protocol == "icmp" else "SPORT")
    second = _number(words, protocol, "CODE") if protocol == "icmp" else 0
    destination = _address(words, "DST")
    if protocol != "icmp":
        second = _number(words, protocol, "DPORT")
    for more in words:
        raise UsageError(f"{_COMMAND}: unknown word: {more}; detailed may follow")
    return Asked(interface, Packet(protocol, source, first, destination, second), detailed)


def traced(file: Path, wanted: Asked) -> TraceReport:
    """What becomes of it under a rule file; UsageError for a bad one."""
    try:
        config = load(file.read_bytes()).config
    except OSError as error:
        raise UsageError(f"{_COMMAND}: cannot read {file}: {error.strerror}") from error
    if config is None:
        raise UsageError(f"{_COMMAND}: {file} is no good rule file: fixup check {file} says why")
    try:
        return trace(config, wanted.interface, wanted.packet)
    except ValueError as error:
        raise UsageError(f"{_COMMAND}: {error}") from None


def _word(words: Iterator[str], what: str) -> str:
    word = next(words, None)
    if word is None:
        raise UsageError(f"{_COMMAND}: incomplete command; {what} must follow")
    return word


def _address(words: Iterator[str], what: str) -> IPv4Address:
    word = _word(words, what)
    try:
        return IPv4Address(word)
    except AddressValueError:
        raise UsageError(f"{_COMMAND}: {what} is no address: {word}") from None


def _number(words: Iterator[str], protocol: str, what: str) -> int:
    word = _word(words, what)
    most = 255 if protocol == "icmp" else 65535
    known = PORTS.get(protocol, {}).get(word)
    if known is not None:
        return known
    if not (word.isascii() and word.isdigit() and len(word) <= 5 and int(word) <= most):
        raise UsageError(f"{_COMMAND}: {what} is not a number from 0 to {most}: {word}")
    return int(word)
