"""Three hosts on one machine: outside - firewall - inside, each a network namespace, joined by two veth pairs.

    PREFIX-outside            PREFIX-firewall             PREFIX-inside
    eth0 203.0.113.10-99 ---- outside0    inside0 ---- eth0 192.0.2.25-27

The firewall's devices come bare and down: `fixup run` gives them what its rule file says. All addresses are of the
documentation ranges (design §4), so no packet can mean a real host. The firewall's veths spread their receive work
over every CPU: without it veth hands packets over in each sender's order and reorders bulk mail (speed-notes §0).
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from pyroute2 import IPRoute

from appliance.kernel import namespaces

HOSTS = ("outside", "firewall", "inside")
OUTSIDE = IPv4Interface("203.0.113.1/24")  # the firewall's
INSIDE = IPv4Interface("192.0.2.1/24")
CLIENTS = tuple(OUTSIDE.network.network_address + last for last in range(10, 100))
SERVER, EXEMPT, LIMITED = (INSIDE.network.network_address + last for last in (25, 26, 27))
MAPPED_SERVER, MAPPED_EXEMPT, MAPPED_LIMITED = (OUTSIDE.network.network_address + last for last in (125, 126, 127))
_OFFLOADS = ("tso", "gso", "gro", "tx", "rx", "sg")


@dataclass(frozen=True, slots=True)
class Network:
    """The namespaces called PREFIX-…; `mtu` and `offloads` are of every device."""

    prefix: str = "fixup"
    mtu: int = 1500
    offloads: bool = True

    def namespace(self, host: str) -> str:
        """The name of a host's namespace."""
        return f"{self.prefix}-{host}"

    def build(self) -> None:
        """Make the namespaces and what joins them; nothing is left if that fails."""
        try:
            for host in HOSTS:
                namespaces.create(self.namespace(host))
                with namespaces.within(self.namespace(host)):
                    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1", encoding="ascii")
                    _raise("lo")
            self._join("outside", "outside0", [IPv4Interface((each, 24)) for each in CLIENTS], OUTSIDE.ip)
            self._join(
                "inside", "inside0", [IPv4Interface((each, 24)) for each in (SERVER, EXEMPT, LIMITED)], INSIDE.ip
            )
            self._spread()
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Remove the namespaces, in any state; what runs in them must have ended."""
        for host in HOSTS:
            namespaces.remove(self.namespace(host))

    def _join(self, host: str, device: str, addresses: list[IPv4Interface], gateway: IPv4Address) -> None:
        firewall = namespaces.handle(self.namespace("firewall"))
        try:
            with namespaces.within(self.namespace(host)), IPRoute() as ipr:
                ipr.link("add", ifname="eth0", kind="veth", peer={"ifname": device, "net_ns_fd": firewall})
                index = _raise("eth0")
                for address in addresses:
                    ipr.addr("add", index=index, address=str(address.ip), prefixlen=address.network.prefixlen)
                ipr.route("add", dst="default", gateway=str(gateway))
                self._shape("eth0")
        finally:
            os.close(firewall)
        with namespaces.within(self.namespace("firewall")):
            self._shape(device)

    def _shape(self, device: str) -> None:
        with IPRoute() as ipr:
            ipr.link("set", index=ipr.link_lookup(ifname=device)[0], mtu=self.mtu)
        if not self.offloads:
            switches = [word for name in _OFFLOADS for word in (name, "off")]
            subprocess.run(["ethtool", "-K", device, *switches], check=True, capture_output=True)

    def _spread(self) -> None:
        mask = format((1 << (os.cpu_count() or 1)) - 1, "x")
        script = f"for queue in /sys/class/net/*side0/queues/rx-*; do echo {mask} > $queue/rps_cpus; done"
        # `ip netns exec` mounts the sysfs of that namespace.
        command = ["ip", "netns", "exec", self.namespace("firewall"), "sh", "-c", script]
        subprocess.run(command, check=True, capture_output=True)


def _raise(device: str) -> int:
    with IPRoute() as ipr:
        index: int = ipr.link_lookup(ifname=device)[0]
        ipr.link("set", index=index, state="up")
        return index
