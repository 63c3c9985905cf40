"""What a worker may still do: CAP_NET_ADMIN, and nothing else of root's, for life.

A verdict needs CAP_NET_ADMIN in the network namespace of the queue, so a worker keeps that one capability and gives
up the user, the groups, every other capability and the way back (no_new_privs, the bounding set). See
capabilities(7), prctl(2); the numbers are of linux/capability.h and linux/prctl.h.
"""

from __future__ import annotations

import ctypes
import grp
import os
import pwd

from appliance.kernel.errors import KernelError

WORKER_USER = "fixup-worker"
CONTROL_GROUP = "fixup"

_CAP_NET_ADMIN = 12
_CAPABILITY_VERSION_3 = 0x20080522
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)


def require_root(what: str) -> None:
    """KernelError unless we are root; `what` needs it."""
    if os.geteuid() != 0:
        raise KernelError(f"{what} needs root for netfilter and BPF: run it with sudo, or as the systemd service")


def control_gid() -> int:
    """The group that may use the control socket; KernelError if `make setup` has not made it."""
    try:
        return grp.getgrnam(CONTROL_GROUP).gr_gid
    except KeyError:
        raise KernelError(f"there is no group {CONTROL_GROUP}: run make setup (or make install)") from None


def worker_account() -> pwd.struct_passwd:
    """The account that workers run as; KernelError if `make setup` has not made it."""
    try:
        return pwd.getpwnam(WORKER_USER)
    except KeyError:
        raise KernelError(f"there is no user {WORKER_USER}: run make setup (or make install)") from None


def die_with_parent(signal_number: int) -> None:
    """Ask the kernel for a signal when the parent goes; a later change of user does not undo it if set again."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def become(account: pwd.struct_passwd) -> None:
    """Give up root for `account`, keeping CAP_NET_ADMIN alone. There is no way back."""
    for capability in range(64):
        if capability != _CAP_NET_ADMIN and _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # beyond the last capability this kernel knows
    _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    _set_capabilities(1 << _CAP_NET_ADMIN)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _set_capabilities(permitted: int) -> None:
    words = [permitted & 0xFFFFFFFF, permitted >> 32]
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(*(word for half in words for word in (half, half, 0)))
    if _libc.capset(ctypes.byref(header), ctypes.byref(data)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")
