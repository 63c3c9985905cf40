"""What a worker may ask: every request comes back as it was, nothing else gets through."""

import json
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.daemon.channel import ChannelError, Request, decode, encode
from appliance.datapath.effects import Emit, Kill, Release, SendReset, SendSack
from appliance.flow import Endpoint, Flow
from appliance.syslog import MaliciousPattern

CLIENT = Endpoint("outside", IPv4Address("203.0.113.10"), 40000)
SERVER = Endpoint("inside", IPv4Address("192.0.2.25"), 25)
FLOW = Flow(CLIENT, SERVER)

REQUESTS: list[Request] = [
    Emit(MaliciousPattern(CLIENT, SERVER, b"|\x1b\r\n<2>%ASA-")),
    Kill(FLOW),
    Release(FLOW),
    SendReset(FLOW, True, 0xFFFFFFFF, 0),
    SendSack(FLOW, 0xFFFFFFFF, 0xFFFF, ((0, 1), (5, 0xFFFFFFFF))),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda each: type(each).__name__)
def test_a_request_comes_back_as_it_was(request_: Request) -> None:
    assert decode(encode(request_)) == request_


@given(st.binary(max_size=200))
def test_octets_that_are_no_request_are_refused(octets: bytes) -> None:
    with pytest.raises(ChannelError):
        decode(octets)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(["emit", "kill", "release", "reset", "sack", "exec"]), ANYTHING, ANYTHING)
def test_a_message_with_wrong_parts_is_refused(do: str, flow: Any, rest: Any) -> None:
    body = {
        "do": do,
        "flow": flow,
        "record": flow,
        "to_client": rest,
        "seq": rest,
        "ack": rest,
        "window": rest,
        "runs": rest,
    }
    with pytest.raises(ChannelError):
        decode(json.dumps(body).encode())


def test_a_port_beyond_the_last_is_refused() -> None:
    message = encode(Kill(FLOW)).replace(b"40000", b"70000")
    with pytest.raises(ChannelError, match="no such port"):
        decode(message)
