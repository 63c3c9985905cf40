"""An Exim of the tests' own, unpacked into .cache by `make setup` (as a package it conflicts with Postfix)."""

import os
import pwd
import subprocess
from ipaddress import IPv4Address
from pathlib import Path

from appliance.kernel import namespaces
from appliance.lab.lab import Lab
from appliance.lab.postfix import without_trace
from tests.ground import eventually

PROGRAM = Path(__file__).parents[2] / ".cache/exim/usr/sbin/exim4"
CONFIGURATION = """\
exim_path = {program}
primary_hostname = exim.inside.example
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {home}/spool
log_file_path = {home}/log/%slog
pid_file_path = {home}/exim.pid
local_interfaces = {address}
daemon_smtp_ports = 25
message_size_limit = 50M
accept_8bitmime
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
tls_advertise_hosts =
acl_smtp_rcpt = to_us
acl_smtp_data = anything
begin acl
to_us:
  accept domains = exim.inside.example
anything:
  accept
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = {home}/boxes
  maildir_format
  create_directory
  envelope_to_add
  return_path_add
  user = Debian-exim
"""


class Exim:
    """Takes mail for exim.inside.example on `address`, in a host inside."""

    def __init__(self, lab: Lab, home: Path, address: IPv4Address) -> None:
        self._lab, self._home, self._address = lab, home, address
        account = pwd.getpwnam("Debian-exim")
        for each in (home, home / "spool", home / "log", home / "boxes"):
            each.mkdir()
            os.chown(each, account.pw_uid, account.pw_gid)
        (home / "exim.conf").write_text(
            CONFIGURATION.format(program=PROGRAM, home=home, address=address), encoding="ascii"
        )

    def start(self) -> None:
        """It listens when this returns."""
        with (self._home / "exim.out").open("wb") as output:
            command = [str(PROGRAM), "-C", str(self._home / "exim.conf"), "-bd", "-q1m"]
            code = self._lab.spawn("inside", command, output).wait(30)
        assert code == 0, (self._home / "exim.out").read_text()
        assert eventually(self._listens)  # it goes into the background before it does

    def _listens(self) -> bool:
        with namespaces.within(self._lab.network.namespace("inside")):
            told = subprocess.run(["ss", "-tlnH"], capture_output=True, text=True, check=True).stdout
        return f"{self._address}:25 " in told

    def delivered(self, recipient: str) -> list[bytes]:
        """The messages for an address as they were sent, but for line ends of LF."""
        stored = [path.read_bytes() for path in (self._home / "boxes" / "new").glob("*")]
        return [without_trace(each) for each in stored if f"\nEnvelope-to: {recipient}\n".encode() in each[:1000]]
