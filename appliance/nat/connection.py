"""A connection as the kernel's table has it, and what the kernel reports of connections."""

from __future__ import annotations

import enum
from dataclasses import field
from ipaddress import IPv4Address

from appliance.flow import Side
from appliance.nat.static import End
from appliance.value import value


class State(enum.IntEnum):
    """The state of an entry in the connection table; the numbers are those of ``enum conn_state`` in bpf/structs.h."""

    CLOSED = 0  # a tombstone: given back, about to be deleted
    SYN = 1  # counted, embryonic: the client's SYN was forwarded
    SYN_ACK = 2  # embryonic: the server answered, its initial number is known
    ESTABLISHED = 3  # the client's ACK of the server's SYN was forwarded
    HALF_CLOSED = 4  # one FIN was forwarded
    CLOSING = 5  # both FINs were forwarded, not both acknowledged
    DEAD = 6  # closed by inspection: both directions dropped, its place is held
    WAITING = 7  # not counted: a SYN that found a limit of connections reached at egress


#: States of entries that are not, or no longer, in use.
_NO_CONNECTION = frozenset({State.CLOSED, State.DEAD, State.WAITING})


@value
class Key:
    """A connection's tuple as its client's first packet had it: a server by the address that it was called, be that its
    own or a mapped one, and the client by its own."""

    mapped: IPv4Address
    port: int
    client: IPv4Address
    client_port: int


@value
class Parties:
    """Whom a connection is between: its tuple, where the server is, and as whom that knows the client.

    `beyond` is there if the client's address or port was chosen when it connected (a pool, PAT).
    """

    key: Key
    real: IPv4Address
    real_port: int = field(default=0, kw_only=True)  # 0: as it was called
    beyond: End | None = field(default=None, kw_only=True)

    @property
    def server(self) -> End:
        """Its real address and port."""
        return self.real, self.real_port or self.key.port

    @property
    def ends(self) -> Key:
        """What the kernel's table knows it by: its ends by their real addresses, whatever a static calls them."""
        return Key(*self.server, self.key.client, self.key.client_port)


@value
class Connection(Parties):
    """One entry of the table. Times are the kernel's monotonic clock, in ns."""

    state: State
    started: int
    last: int  # of the last packet forwarded
    octets: int  # of TCP payload, both directions
    from_client: bool = False  # payload was seen from the client
    from_server: bool = False
    fin: frozenset[Side] = frozenset()  # who sent a FIN
    acknowledged: frozenset[Side] = frozenset()  # who acknowledged the other's FIN
    bypass: bool = False
    inspected: bool = False  # a packet of it carried a class that inspects
    intercepted: bool = False  # SYNPROXY opened it towards the server (TCP Intercept)
    lifetime: int = 0  # seconds that its class lets it live in this state; 0: as `timeout` says

    @property
    def in_use(self) -> bool:
        """It was begun, and has not ended: what inspection closed is over, whatever place it holds."""
        return self.state not in _NO_CONNECTION

    @property
    def embryonic(self) -> bool:
        """The handshake is not finished."""
        return self.state in (State.SYN, State.SYN_ACK)


class Ending(enum.IntEnum):
    """Why a connection ended; the numbers are those of ``enum ending`` in bpf/structs.h."""

    FINS = 1
    RESET_BY_CLIENT = 2
    RESET_BY_SERVER = 3
    SYN_TIMEOUT = 4
    FIN_TIMEOUT = 5
    IDLE_TIMEOUT = 6
    INSPECTION = 7
    CLEARED = 8
    REPLACED = 9  # a new SYN on the tuple of a closing connection


@value
class Built(Parties):
    """A connection was counted (its SYN was forwarded)."""

    time: int


@value
class TornDown(Parties):
    """A connection ended; `started` and `time` in ns of the kernel's clock, `octets` of payload in both directions."""

    ending: Ending
    started: int
    time: int
    octets: int


class Limit(enum.IntEnum):
    """Which limit a SYN found reached; the numbers are those of ``enum refusal`` in bpf/structs.h."""

    MAX_CONNS = 1  # of a static, or of a class to one server
    EMBRYONIC = 2
    CLIENT_MAX = 3  # of a class for one client
    CLIENT_EMBRYONIC = 4

    @property
    def half_open(self) -> bool:
        """It is one of half-open connections: a plain SYN beyond it is intercepted, not refused."""
        return self in (Limit.EMBRYONIC, Limit.CLIENT_EMBRYONIC)


@value
class Refused(Parties):
    """A SYN found `count` of `limit` places taken: it was dropped, or intercepted at a limit of half-open connections.

    Told once a second for each static or class and limit, however many there were: `StaticUse` and `ClassUse` have
    their number.
    """

    which: Limit
    count: int
    limit: int
    time: int


@value
class Stranded(Parties):
    """A client that sent SYNPROXY's cookie back believes that it is connected, and is not: no place, or no answer.

    `seq` is the number it expects next, `ack` the one it sends next.
    """

    seq: int
    ack: int
    time: int


@value
class Expired(Parties):
    """A connection was idle for too long, and its class says that both its ends are reset (``idle … reset``).

    `seq` is the number its client expects next, `ack` the one it sends next and its server expects.
    """

    seq: int
    ack: int
    time: int


@value
class Unanswered(Parties):
    """The server does not answer the SYN that SYNPROXY sent it for a client, and SYNPROXY sends it once.

    Told at each sweep; `seq` is the number the client expects next, `ack` the one it sends next.
    """

    seq: int
    ack: int
    time: int


@value
class Obstructed(Parties):
    """The server answered SYNPROXY's SYN out of a connection on the same tuple that it has not given up.

    `seq` is the number it expects there, `ack` the one it sent. Who opens a connection resets such a one (RFC 9293
    §3.5.2); the client of SYNPROXY's believes that it is connected.
    """

    seq: int
    ack: int
    time: int


Event = Built | TornDown | Refused | Stranded | Expired | Unanswered | Obstructed
