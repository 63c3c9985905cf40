"""The service manager's notification protocol: READY=1, STATUS=…, WATCHDOG=1 (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Speaks to the socket of ``NOTIFY_SOCKET``; silent where there is none."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        usec = environment.get("WATCHDOG_USEC", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        #: half of the watchdog's time in ns, None where nobody watches
        self.watchdog_interval = int(usec) * 1000 // 2 if usec.isdigit() and mine else None

    def send(self, **fields: str | int) -> None:
        """Send ``NAME=value`` lines; a manager that does not listen is not our trouble."""
        if not self._address:
            return
        message = "\n".join(f"{name}={value}" for name, value in fields.items()).encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.setblocking(False)
            try:
                out.sendto(message, self._address)
            except OSError:
                return
