"""Logging, while it is being read (asa.md §6.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from typing import Any

from appliance.config.config import Logging, LoggingHost
from appliance.config.cursor import Rejected
from appliance.config.names import LEVELS, PLAIN, Spelling
from appliance.config.statements.accepted import AcceptedStatements, Section
from appliance.config.syntax import Mode, Statement, both

#: ``logging host`` statements (ASA's 16).
HOSTS = 16


class Logs(AcceptedStatements):
    """What is logged where, and the messages that are not."""

    def __init__(self) -> None:
        super().__init__()
        self._logging = Logging()
        self._silent: set[int] = set()  # `no logging message`
        self._levels: dict[int, int] = {}  # `logging message … level …`
        self._lists: dict[str, int] = {}  # `logging list … level …`

    def logs(self) -> Logging:
        """What was read of it."""
        return replace(self._logging, disabled=frozenset(self._silent), levels=tuple(sorted(self._levels.items())))

    def logging(self, **fields: Any) -> None:
        """``logging …``: the fields of `Logging` that the statement sets."""
        lists = tuple(each for each in self._logging.lists if each[0] not in fields)
        self._logging = replace(self._logging, **{"lists": lists, **fields})

    def logging_list(self, listed: str, level: int | None = None) -> None:
        """``logging list``: of what it asks for the level alone is heeded; without one, every message is meant."""
        self.accept("logging list", Section.ACCESS_LISTS)
        told = len(LEVELS) - 1 if level is None else level
        self._lists[listed] = max(told, self._lists.get(listed, 0))

    def no_logging_list(self, listed: str) -> None:
        """``no logging list``: one that is logged by stays."""
        if listed in dict(self._logging.lists).values():
            raise self.rejected("listed", f"ERROR: logging list {listed} is in use")
        self._lists.pop(listed, None)
        self.accept_no("logging list", Section.ACCESS_LISTS)

    def logging_by_list(self, destination: str, listed: str) -> None:
        """To a destination goes what a list lets: as much as its level."""
        if listed not in self._lists:
            raise Rejected(self._columns["listed"])
        lists = dict(self._logging.lists) | {destination: listed}
        self.logging(**{destination: self._lists[listed], "lists": tuple(sorted(lists.items()))})

    def timestamp_rfc5424(self) -> None:
        self.accepted_once("rfc5424", "WARNING: accepted, not acted on: rfc5424: times are written as ever")
        self.logging(timestamp=True, rfc5424=True)

    def logging_host(
        self,
        interface: str,
        address: IPv4Address,
        port: tuple[str, int] = ("udp", 514),
        emblem: str = "",
        secure: str = "",
    ) -> None:
        kept = tuple(each for each in self._logging.hosts if each.address != address)
        self.said("host", address)
        if len(kept) >= HOSTS:
            raise self.rejected("address", f"ERROR: at most {HOSTS} logging hosts")
        protocol, number = port
        if protocol == "tcp":
            self.warn("port", "WARNING: accepted, not acted on: a logging host by TCP: nothing is sent there")
        elif emblem:
            self.warn("emblem", "WARNING: accepted, not acted on: format emblem: lines are sent as to any other host")
        options = (*(["format emblem"] if emblem else []), *(["secure"] if secure else []))
        self.logging(hosts=(*kept, LoggingHost(interface, address, number, protocol == "tcp", options)))

    def no_logging_host(self, interface: str, address: IPv4Address, port: tuple[str, int] | None = None) -> None:
        self.forgotten.add(self._line.number)
        known = next((each for each in self._logging.hosts if each.address == address), None)
        if known is None:
            return
        self.stands("interface", interface, known.interface)
        at = f"{'tcp' if known.tcp else 'udp'}/{known.port}"
        self.stands("port", port and "{}/{}".format(*port), at)
        kept = tuple(each for each in self._logging.hosts if each is not known)
        self.unsaid("host", address)
        self.logging(hosts=kept)

    def logging_message(self, message: int, level: int | None = None) -> None:
        if level is None:
            self._silent.discard(message)
            self._levels.pop(message, None)
        else:
            self.accepted_once("level", "WARNING: accepted, not acted on: the level of a message")
            self._levels[message] = level

    def no_logging_message(self, message: int, level: int | None = None) -> None:
        if level is None:
            self._silent.add(message)
        self._levels.pop(message, None)


def _flag(**fields: object) -> Callable[[Logs], None]:
    """A ``logging`` statement that only sets `fields`."""
    return lambda draft: draft.logging(**fields)


def logging_lines(logging: Logging, everything: bool, spelling: Spelling = PLAIN) -> Iterator[str]:
    default = Logging()
    if logging.enabled:
        yield "logging on" if spelling.pix6 else "logging enable"
    if logging.timestamp:
        yield f"logging timestamp{' rfc5424' if logging.rfc5424 else ''}"
    if everything or logging.buffer_size != default.buffer_size:
        yield f"logging buffer-size {logging.buffer_size}"
    for destination in ("console", "buffered", "trap"):
        level = getattr(logging, destination)
        if level is not None:
            yield f"logging {destination} {dict(logging.lists).get(destination, LEVELS[level])}"
    if everything or logging.facility != default.facility:
        yield f"logging facility {logging.facility}"
    if logging.device_id is not None:
        yield f"logging device-id {'' if logging.device_id == 'hostname' else 'string '}{logging.device_id}"
    for host in logging.hosts:
        port = f"{'tcp' if host.tcp else 'udp'}/{host.port}"
        words = [*([] if port == "udp/514" else [port]), *host.options]
        yield " ".join([f"logging host {host.interface} {spelling.address(host.address)}", *words])
    for number, level in logging.levels:
        yield f"logging message {number} level {LEVELS[level]}"
    for message in sorted(logging.disabled):
        yield f"no logging message {message}"


def _setting(syntax: str, says: str, short: str = "", **default: object) -> tuple[Statement, ...]:
    """A statement whose fields are `Logging`'s, and its ``no``, which puts the default back."""
    return both(f"logging {syntax}", Logs.logging, _flag(**default), short=f"no logging {short or syntax}", says=says)


def _lists() -> Iterator[Statement]:
    """Lists, and what goes where by one."""
    for rest in ("level <level:level> [class <_:name>]", "<_=class|message> <_:rest>"):
        yield Statement(f"logging list <listed:name> {rest}", Logs.logging_list, says="what is logged by it: its level")
    yield Statement("no logging list <listed:name> [<_:rest>]", Logs.no_logging_list, says="the list goes")
    for destination in ("buffered", "console", "trap"):
        by_list = partial(Logs.logging_by_list, destination=destination)
        yield Statement(f"logging {destination} <listed:name>", by_list, says="as much as the level of a list")


_HOST = "logging host <interface:nameif> <address:address>"

STATEMENTS = {
    Mode.CONFIGURE: (
        *both("logging enable", _flag(enabled=True), _flag(enabled=False), says="logs at all"),
        *both("logging on", _flag(enabled=True), _flag(enabled=False), says="the same, PIX 6's word"),
        *both(
            "logging timestamp",
            _flag(timestamp=True, rfc5424=False),
            _flag(timestamp=False, rfc5424=False),
            says="a time in every line",
        ),
        *both(
            "logging timestamp rfc5424",
            Logs.timestamp_rfc5424,
            _flag(timestamp=False, rfc5424=False),
            says="the same: that its form is another is accepted, not acted on",
        ),
        *_setting(
            "buffer-size <buffer_size:4096-1048576>",
            "octets of the memory buffer",
            "buffer-size [<_:4096-1048576>]",
            buffer_size=Logging().buffer_size,
        ),
        *_setting("buffered <buffered:level>", "up to this severity to memory", "buffered [<_:level>]", buffered=None),
        *_setting("console <console:level>", "to the daemon's stderr", "console [<_:level>]", console=None),
        *_setting("trap <trap:level>", "to the logging hosts", "trap [<_:level>]", trap=None),
        *_setting(
            "facility <facility:16-23>", "syslog's facility", "facility [<_:16-23>]", facility=Logging().facility
        ),
        *both(
            "logging device-id <device_id=hostname>",
            Logs.logging,
            _flag(device_id=None),
            short="no logging device-id [<_:rest>]",
            says="the host's name in every line",
        ),
        Statement("logging device-id string <device_id:name>", Logs.logging, says="a word in every line"),
        Statement(
            "logging device-id <_=context-name|ipaddress|cluster-id> [<_:rest>]",
            partial(Logs.accept, head="logging device-id", section=Section.ACCESS_LISTS),
            says="accepted, not acted on",
        ),
        *both(
            f"{_HOST} [<port:host-port>] [format <emblem=emblem>] [<secure=secure>]",
            Logs.logging_host,
            Logs.no_logging_host,
            short=f"no {_HOST} [<port:host-port>] [format <_=emblem>] [<_=secure>]",
            says="a host that gets them by UDP; one by TCP is accepted, and gets none",
        ),
        *both(
            "logging message <message:100000-999999> [level <level:level>]",
            Logs.logging_message,
            Logs.no_logging_message,
            says="a message; no: it is not logged",
        ),
        *_lists(),
    )
}
