"""What an unprivileged worker may ask of the root process: a closed vocabulary, one JSON message each.

The messages travel over a SOCK_SEQPACKET pair, so one message is one request. The root process believes nothing it
has not checked: a message that does not fit is refused with ChannelError, and the worker that sent it is at fault.
"""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from typing import Any, assert_never

from appliance.datapath.effects import Emit, Kill, Release, SendReset, SendSack
from appliance.flow import Endpoint, Flow
from appliance.syslog import from_message, to_message
from appliance.tcp.stream import SACK_BLOCKS

MAX_MESSAGE = 16_384  # octets: a record holds at most a few escaped strings of 128

Request = Emit | Kill | Release | SendReset | SendSack


class ChannelError(Exception):
    """A worker's message does not fit the vocabulary; the text says how."""


def encode(request: Request) -> bytes:
    """One request as one message."""
    match request:
        case Emit(record):
            body: dict[str, Any] = {"do": "emit", "record": to_message(record)}
        case Kill(flow):
            body = {"do": "kill", "flow": _flow_out(flow)}
        case Release(flow):
            body = {"do": "release", "flow": _flow_out(flow)}
        case SendReset(flow, to_client, seq, ack):
            body = {"do": "reset", "flow": _flow_out(flow), "to_client": to_client, "seq": seq, "ack": ack}
        case SendSack(flow, seq, window, runs):
            body = {"do": "sack", "flow": _flow_out(flow), "seq": seq, "window": window, "runs": runs}
        case _:
            assert_never(request)
    return json.dumps(body, separators=(",", ":")).encode()


def decode(message: bytes) -> Request:
    """The request in a message; ChannelError on anything else."""
    try:
        body = json.loads(message)
        match body:
            case {"do": "emit", "record": record}:
                return Emit(from_message(record))
            case {"do": "kill", "flow": flow}:
                return Kill(_flow_in(flow))
            case {"do": "release", "flow": flow}:
                return Release(_flow_in(flow))
            case {"do": "reset", "flow": flow, "to_client": bool(to_client), "seq": int(seq), "ack": int(ack)}:
                return SendReset(_flow_in(flow), to_client, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF)
            case {"do": "sack", "flow": flow, "seq": int(seq), "window": int(window), "runs": [_, *_] as runs}:
                return SendSack(_flow_in(flow), seq & 0xFFFFFFFF, window & 0xFFFF, _runs_in(runs))
            case _:
                raise ChannelError("unknown request")
    except (ValueError, TypeError, RecursionError) as error:
        raise ChannelError(str(error)) from error


def _flow_out(flow: Flow) -> list[list[str | int]]:
    return [[end.interface, str(end.address), end.port] for end in (flow.client, flow.server)]


def _flow_in(value: Any) -> Flow:
    match value:
        case [[str(), str(), int()] as client, [str(), str(), int()] as server]:
            return Flow(_endpoint(*client), _endpoint(*server))
        case _:
            raise ChannelError("not a flow")


def _runs_in(value: list[Any]) -> tuple[tuple[int, int], ...]:
    if len(value) > SACK_BLOCKS:
        raise ChannelError("more runs than an acknowledgment holds")
    return tuple((left & 0xFFFFFFFF, right & 0xFFFFFFFF) for left, right in value)


def _endpoint(interface: str, address: str, port: int) -> Endpoint:
    if not 0 <= port <= 0xFFFF:
        raise ChannelError(f"no such port: {port}")
    return Endpoint(interface, IPv4Address(address), port)
