"""What is said of connections: the limits they meet, 201xxx, their beginning and end, 302xxx (asa.md §4.3, §4.4).

The destination of a limit's record is the server as its version knows it: by the mapped address up to 8.2.
"""

from __future__ import annotations

import enum

from appliance.flow import Endpoint
from appliance.syslog.record import Record
from appliance.value import value


@value
class EmbryonicLimitExceeded(Record):
    """A SYN found `count` of `limit` half-open connections."""

    id = 201010
    severity = 6

    count: int
    limit: int
    source: Endpoint
    destination: Endpoint

    def sentence(self) -> str:
        return f"Embryonic connection limit exceeded {_refused(self)}"


@value
class ConnectionLimitExceeded(Record):
    """A SYN found `count` of `limit` connections and was dropped."""

    id = 201011
    severity = 3

    count: int
    limit: int
    source: Endpoint
    destination: Endpoint

    def sentence(self) -> str:
        return f"Connection limit exceeded {_refused(self)}"


@value
class ClientEmbryonicLimitExceeded(Record):
    """A SYN found `count` of `limit` half-open connections of its client."""

    id = 201012
    severity = 6

    count: int
    limit: int
    source: Endpoint
    destination: Endpoint

    def sentence(self) -> str:
        return f"Per-client embryonic connection limit exceeded {_refused(self)}"


@value
class ClientLimitExceeded(Record):
    """A SYN found `count` of `limit` connections of its client and was dropped."""

    id = 201013
    severity = 3

    count: int
    limit: int
    source: Endpoint
    destination: Endpoint

    def sentence(self) -> str:
        return f"Per-client connection limit exceeded {_refused(self)}"


_LimitExceeded = EmbryonicLimitExceeded | ConnectionLimitExceeded | ClientEmbryonicLimitExceeded | ClientLimitExceeded


def _refused(record: _LimitExceeded) -> str:
    return (
        f"{record.count}/{record.limit} for input packet from {record.source.place} to {record.destination.place} "
        f"on interface {record.source.interface}"
    )


class Direction(enum.Enum):
    """Who opened a connection: ``inbound`` is from the lower security level to the higher."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Reason(enum.Enum):
    """Why a connection was torn down, of ASA's list (asa.md §4.4). -I is the more secure side, -O the less secure."""

    FINS = "TCP FINs"
    RESET_I = "TCP Reset-I"
    RESET_O = "TCP Reset-O"
    SYN_TIMEOUT = "SYN Timeout"
    FIN_TIMEOUT = "FIN Timeout"
    CONN_TIMEOUT = "Conn-timeout"
    INSPECTION = "Flow closed by inspection"
    XLATE_CLEAR = "Xlate Clear"


@value
class ConnectionBuilt(Record):
    """A connection was built. `lower` is the end of lower security whoever opened it; the mapped ends are shown
    by address and port alone."""

    id = 302013
    severity = 6

    direction: Direction
    number: int
    lower: Endpoint
    lower_mapped: Endpoint
    upper: Endpoint
    upper_mapped: Endpoint

    def sentence(self) -> str:
        return (
            f"Built {self.direction.value} TCP connection {self.number} "
            f"for {self.lower} ({self.lower_mapped.place}) to {self.upper} ({self.upper_mapped.place})"
        )


@value
class ConnectionTornDown(Record):
    """A connection ended: `duration` in seconds, `octets` of payload in both directions."""

    id = 302014
    severity = 6

    number: int
    lower: Endpoint
    upper: Endpoint
    duration: int
    octets: int
    reason: Reason

    def sentence(self) -> str:
        return (
            f"Teardown TCP connection {self.number} for {self.lower} to {self.upper} "
            f"duration {clock(self.duration)} bytes {self.octets} {self.reason.value}"
        )


def clock(seconds: int) -> str:
    """Seconds as ASA writes a duration: ``0:00:30``, ``92:24:20``."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
