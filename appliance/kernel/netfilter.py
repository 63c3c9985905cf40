"""The rendered rules in the kernel: put there in one go beside other people's, and taken away without a trace.

What to put and what to take away `appliance.iptables` tells from the configuration and from what iptables-save prints,
so `fixup cleanup` works after any crash. Each table is replaced in one transaction, old rules and new ones in the
same. iptables-nft makes a table with its built-in chains at the first rule: a table that was not there before
(`Found`) is deleted at the end, if nobody put anything into it meanwhile.

One back end: iptables, nf_tables variant (design §2).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.nftables.main import NFTables

from appliance import iptables
from appliance.config.config import Config
from appliance.iptables import hits
from appliance.iptables.hits import Counters
from appliance.kernel.errors import KernelError
from appliance.kernel.found import Found, NoTable

#: where the programs are looked for
PROGRAMS_PATH = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin"
_PROGRAMS = {"ip": "iptables", "ip6": "ip6tables"}
_FAMILIES = {"ip": 2, "ip6": 10}  # linux/netfilter.h NFPROTO_IPV4, NFPROTO_IPV6
#: what iptables-restore says -> what to do about it
_REMEDIES = (
    (re.compile(r"Permission denied|must be root"), "netfilter rules need root: run it with sudo"),
    (
        re.compile(r"Extension SYNPROXY revision \d+ not supported|Couldn't load target `SYNPROXY'"),
        "this kernel or its iptables lacks SYNPROXY, with which an embryonic limit is kept: "
        "modprobe ipt_SYNPROXY, or 0 in its place (`tcp MAX_CONNS 0`, `embryonic-conn-max 0`)",
    ),
    (
        re.compile(r"Extension (\w+) revision \d+ not supported|Couldn't load (?:match|target) `(\w+)'"),
        "this kernel or its iptables lacks {0}: a kernel with the xt_{0} module is needed (modprobe xt_{0})",
    ),
    (
        re.compile(r"Could not fetch rule set generation id|Failed to initialize nft"),
        "this kernel has no nf_tables: one with the nf_tables and nft_compat modules is needed",
    ),
)


def apply(config: Config, found: Found, *, generation: int, workers: int, queue_base: int) -> None:
    """Put the rules of `config` in the kernel, in the place of ours that are there; the numbers are `iptables.rules`'s.

    KernelError, and nothing replaced, if the kernel or its iptables cannot take them.
    """

    def text(family: str) -> str:
        saved = _save(family)
        if family == "ip6":
            return iptables.rules6(config, saved=saved)
        return iptables.rules(config, generation=generation, workers=workers, queue_base=queue_base, saved=saved)

    for family in _PROGRAMS:
        _restore(family, text(family), "--test")  # both are tried before either is put in
    for family in _PROGRAMS:
        rules, there = text(family), _tables(family)
        for name in re.findall(r"^\*(\w+)", rules, re.MULTILINE):
            if name not in there:
                found.note(NoTable(family, name))
        _restore(family, rules, "--counters")


def remove(found: Found) -> bool:
    """Take our rules and chains away, and the tables that are there only because of them; False if there were none."""
    texts = {family: iptables.removal(_save(family)) for family in _PROGRAMS}
    for family, text in texts.items():
        if text:
            _restore(family, text)
    for change in reversed(found.changes):
        if isinstance(change, NoTable):
            _delete_if_empty(change)
            found.forget(change)
    return any(texts.values())


def counters(table: str) -> Counters:
    """How often the rules of ours in `table` were hit."""
    return hits.counters(_run("ip", "save", "--counters", "--table", table))


def _save(family: str) -> str:
    return _run(family, "save", "--counters")


def _restore(family: str, text: str, *options: str) -> None:
    _run(family, "restore", "--noflush", *options, text=text)


def _run(family: str, verb: str, *options: str, text: str = "") -> str:
    program = f"{_PROGRAMS[family]}-{verb}"
    path = shutil.which(program, path=PROGRAMS_PATH)
    if path is None:
        raise KernelError(f"there is no {program}: apt install iptables")
    done = subprocess.run([path, *options], input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise KernelError(_explain(program, done.stderr))
    return done.stdout


def _explain(program: str, stderr: str) -> str:
    for pattern, remedy in _REMEDIES:
        found = pattern.search(stderr)
        if found:
            return remedy.format(*(group for group in found.groups() if group))
    lines = [re.sub(r"^\S+ v\S+ \(\w+\): ", "", line) for line in stderr.splitlines() if line.strip()]
    return f"{program} refused the rules: {lines[0] if lines else 'it gave no reason'}"


def _tables(family: str) -> set[str]:
    with _nft(family) as nft:
        return {str(each.get("name")) for each in _own_family(nft.get_tables(), family)}


def _delete_if_empty(table: NoTable) -> None:
    with _nft(table.family) as nft:
        here = [each for each in _own_family(nft.get_tables(), table.family) if each.get("name") == table.name]
        rules = [each for each in _own_family(nft.get_rules(), table.family) if each.get("table") == table.name]
        chains = [each for each in _own_family(nft.get_chains(), table.family) if each.get("table") == table.name]
        if here and not rules and not any(_somebodys(chain) for chain in chains):
            nft.begin()
            nft.table("del", name=table.name)
            nft.commit()


def _somebodys(chain: Any) -> bool:
    """A chain that iptables-nft did not make by itself: not built in, or with a policy set."""
    return chain.get("hook") is None or chain.get("policy") == 0


def _own_family(messages: Any, family: str) -> Iterator[Any]:
    return (each for each in messages if each["nfgen_family"] == _FAMILIES[family])


def _nft(family: str) -> Any:
    try:
        return NFTables(nfgen_family=_FAMILIES[family])
    except (OSError, NetlinkError) as error:
        raise KernelError(f"nf_tables cannot be asked: {error}; root and a kernel with nf_tables are needed") from error
