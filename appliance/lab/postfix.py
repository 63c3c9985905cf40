"""A Postfix of the lab's own: configuration, queue, data, log and mailboxes in one directory, nothing of the system's.

It is the real thing, started as its own `postfix` command starts it, without systemd; it ends with its host.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Mapping
from pathlib import Path

from appliance.kernel.errors import KernelError
from appliance.lab.lab import Lab

_TRACE = (b"Return-Path:", b"X-Original-To:", b"Delivered-To:", b"Received:", b"Return-path:", b"Envelope-to:")
_SERVICES = """\
{listen} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A Postfix in `host` that keeps everything below `home`, a directory that every user may enter.

    It keeps mail for inside.example and listens on `listen`, a master.cf service name
    (``smtp``, ``127.0.0.1:2525``); `settings` are further lines of main.cf, `services` of master.cf.
    """

    def __init__(
        self, lab: Lab, host: str, home: Path, listen: str, settings: Mapping[str, str], services: str = ""
    ) -> None:
        self._lab, self._host, self._home = lab, host, home
        self.log = home / "mail.log"
        self.boxes = home / "boxes"
        account = _account()
        for name, owner in (("config", 0), ("queue", 0), ("data", account.pw_uid), ("boxes", account.pw_uid)):
            (home / name).mkdir(parents=True)
            os.chown(home / name, owner, -1)
        certificate(home)
        lines = {**_common(home, account), **settings}
        text = "".join(f"{name} = {value}\n" for name, value in lines.items())
        (home / "config" / "main.cf").write_text(text, encoding="ascii")
        (home / "config" / "master.cf").write_text(_SERVICES.format(listen=listen) + services, encoding="ascii")

    def start(self) -> None:
        """Start it; it listens when this returns. KernelError with its own words if it will not."""
        done = self._command("start")
        if done.returncode != 0:
            raise KernelError(f"Postfix did not start: {' '.join(done.stderr.split()[-30:]) or self._last_words()}")

    def stop(self) -> None:
        """End it."""
        self._command("stop")

    def delivered(self, recipient: str) -> list[bytes]:
        """The messages for an address, as they were sent but for line ends of LF, oldest first."""
        found = []
        for path in sorted((self.boxes / "all" / "new").glob("*"), key=lambda each: each.stat().st_mtime_ns):
            message = path.read_bytes()
            if f"\nDelivered-To: {recipient}\n".encode() in message[:1000]:
                found.append(without_trace(message))
        return found

    def _command(self, verb: str) -> subprocess.CompletedProcess[str]:
        # To files, not pipes: the daemons it leaves behind keep what they inherit.
        command = ["postfix", "-c", str(self._home / "config"), verb]
        told = self._home / "postfix.out"
        with told.open("wb") as output:
            code = self._lab.spawn(self._host, command, output).wait(30)
        return subprocess.CompletedProcess(command, code, "", told.read_text(encoding="utf-8", errors="replace"))

    def _last_words(self) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return (text.strip().splitlines() or ["it said nothing"])[-1]


def certificate(home: Path) -> None:
    """A certificate of mail.inside.example's own, cert.pem and key.pem in `home`."""
    subject = ["-subj", "/CN=mail.inside.example", "-days", "2"]
    files = ["-keyout", str(home / "key.pem"), "-out", str(home / "cert.pem")]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(["openssl", "req", *kind, *subject, *files], check=True, capture_output=True)


def without_trace(message: bytes) -> bytes:
    """A stored message without the header lines that the mail systems on its way put in front."""
    at = 0
    while message.startswith(_TRACE, at):
        at = message.index(b"\n", at) + 1
        while message.startswith((b" ", b"\t"), at):
            at = message.index(b"\n", at) + 1
    return message[at:]


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postfix")
    except KeyError:
        raise KernelError("there is no Postfix here: make setup (or apt install postfix)") from None


def _common(home: Path, account: pwd.struct_passwd) -> dict[str, str]:
    return {
        "compatibility_level": "3.6",
        "queue_directory": f"{home}/queue",
        "data_directory": f"{home}/data",
        "maillog_file": f"{home}/mail.log",
        "maillog_file_prefixes": str(home),
        "mail_owner": "postfix",
        "setgid_group": "postdrop",
        "inet_protocols": "ipv4",
        "myhostname": "mail.inside.example",
        "mydestination": "",
        "mynetworks": "127.0.0.0/8 192.0.2.0/24 203.0.113.0/24",
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
        "local_recipient_maps": "",
        "alias_maps": "",
        "alias_database": "",
        "virtual_mailbox_domains": "inside.example",
        "virtual_mailbox_base": f"{home}/boxes",
        "virtual_mailbox_maps": "static:all/",
        "virtual_uid_maps": f"static:{account.pw_uid}",
        "virtual_gid_maps": f"static:{account.pw_gid}",
        "virtual_minimum_uid": "1",
        "virtual_mailbox_limit": "0",
        "message_size_limit": "50000000",
        "local_header_rewrite_clients": "",  # it adds no header to a message that has none
        # The firewall's limits are what is to be seen, not the server's own.
        "smtpd_client_connection_count_limit": "0",
        "smtpd_client_connection_rate_limit": "0",
        "smtpd_recipient_limit": "1000",
        "smtpd_peername_lookup": "no",
        "disable_dns_lookups": "yes",
        "smtpd_tls_security_level": "may",
        "smtpd_tls_cert_file": f"{home}/cert.pem",
        "smtpd_tls_key_file": f"{home}/key.pem",
        "smtpd_tls_loglevel": "1",
    }
