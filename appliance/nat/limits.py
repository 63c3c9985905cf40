"""temporary"""

from appliance.nat.connection import State


def lifetimes(conn: int, half_closed: int, embryonic: int, handshake: int) -> dict[State, int]:
    """How long an entry lives in each state."""
    return {
        State.SYN: embryonic,
        State.SYN_ACK: embryonic,
        State.ESTABLISHED: conn,
        State.HALF_CLOSED: half_closed,
        State.CLOSING: half_closed,
        State.DEAD: half_closed,
        State.WAITING: handshake,
    }
