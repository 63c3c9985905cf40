"""An address is what `ipaddress` takes for one, read faster."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address

from hypothesis import example, given
from hypothesis import strategies as st

from appliance.config.traffic import address_of


@given(
    st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,4}){0,4}", fullmatch=True)
    | st.ip_addresses(v=4).map(str)
    | st.text(max_size=15)
)
@example("255.255.255.255")
@example("1.2.3.256")
@example("01.2.3.4")
@example("1.2.3.4\n")
@example("1.2.3.٤")
def test_text_is_the_address_that_ipaddress_reads(text: str) -> None:
    try:
        expected: IPv4Address | None = IPv4Address(0 if text == "0" else text)
    except AddressValueError:
        expected = None
    assert address_of(text) == expected
