"""The rendered rules in the kernel: put there in one go beside other people's, and taken away without a trace.

Everything of ours is in chains whose names begin with `PREFIX`; of the built-in chains only the jumps to them are
ours. So what is ours can be told from the rules themselves: replacing and removing need no memory of what a former
run rendered, and `fixup cleanup` works after any crash. Each table is replaced in one transaction, old jumps and new
ones in the same. iptables-nft makes a table with its built-in chains at the first rule: a table that was not there
before (`Found`) is deleted at the end, if nobody put anything into it meanwhile.

One back end: iptables, nf_tables variant (DESIGN §2).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.nftables.main import NFTables

from appliance.kernel.errors import KernelError
from appliance.kernel.found import Found, NoTable

PREFIX = "FIXUP"
_PROGRAMS = {"ip": "iptables", "ip6": "ip6tables"}
_FAMILIES = {"ip": 2, "ip6": 10}  # linux/netfilter.h NFPROTO_IPV4, NFPROTO_IPV6
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
#: what iptables-restore says -> what to do about it
_REMEDIES = (
    (re.compile(r"Permission denied|must be root"), "netfilter rules need root: run it with sudo"),
    (
        re.compile(r"Extension (\w+) revision \d+ not supported|Couldn't load (?:match|target) `(\w+)'"),
        "this kernel or its iptables lacks {0}: a kernel with the xt_{0} module is needed (modprobe xt_{0})",
    ),
    (
        re.compile(r"Could not fetch rule set generation id|Failed to initialize nft"),
        "this kernel has no nf_tables: one with the nf_tables and nft_compat modules is needed",
    ),
)


def apply(rules: str, rules6: str, found: Found) -> None:
    """Replace our rules, IPv4 and IPv6, by these texts of iptables-restore; KernelError, and nothing replaced, if not.

    A text that adds a rule to a built-in chain must only jump to a chain of ours from it.
    """
    texts = {"ip": rules, "ip6": rules6}
    for family, text in texts.items():
        _restore(family, _replacing(text, _save(family)), test=True)  # both are tried before either is put in
    for family, text in texts.items():
        there = _tables(family)
        for name in re.findall(r"^\*(\w+)", text, re.MULTILINE):
            if name not in there:
                found.note(NoTable(family, name))
        _restore(family, _replacing(text, _save(family)))


def remove(found: Found) -> None:
    """Take our rules and chains away, and the tables that are there only because of them."""
    for family in _PROGRAMS:
        text = _replacing("", _save(family))
        if text:
            _restore(family, text)
    for change in reversed(found.changes):
        if isinstance(change, NoTable):
            _delete_if_empty(change)
            found.forget(change)


def _replacing(text: str, saved: str) -> str:
    """`text` with what `saved` has of ours taken out first, table by table."""
    wanted = dict(_sections(text))
    present = dict(_sections(saved))
    lines: list[str] = []
    for table in sorted(wanted.keys() | present.keys()):
        new, old = wanted.get(table, []), present.get(table, [])
        declared = [line for line in new if line.startswith(":")]
        names = {line[1:].split()[0] for line in declared}
        stale = [name for name in _own_chains(old) if name not in names]
        if not (new or stale or _own_jumps(old)):
            continue
        lines += [f"*{table}", *declared]
        lines += [f"-D{jump[2:]}" for jump in _own_jumps(old)]
        lines += [f"-F {name}" for name in stale]
        lines += [f"-X {name}" for name in stale]
        lines += [line for line in new if not line.startswith(":")]
        lines += ["COMMIT"]
    return "".join(f"{line}\n" for line in lines)


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """The tables of iptables-save's format and their lines, without comments and COMMIT."""
    table, lines = "", list[str]()
    for line in text.splitlines():
        if line.startswith("*"):
            table, lines = line[1:].strip(), []
        elif line == "COMMIT":
            yield table, lines
        elif line and not line.startswith("#"):
            lines.append(line)


def _own_chains(lines: list[str]) -> list[str]:
    return [line[1:].split()[0] for line in lines if line.startswith(f":{PREFIX}")]


def _own_jumps(lines: list[str]) -> list[str]:
    """Rules of chains that are not ours that go to one that is; what a comment says is nobody's rule."""
    return [line for line in lines if re.match(rf"-A (?!{PREFIX}).* -[jg] {PREFIX}", _QUOTED.sub("", line))]


def _save(family: str) -> str:
    return _run(family, "save")


def _restore(family: str, text: str, test: bool = False) -> None:
    _run(family, "restore", "--noflush", *(["--test"] if test else []), text=text)


def _run(family: str, verb: str, *options: str, text: str = "") -> str:
    program = f"{_PROGRAMS[family]}-{verb}"
    path = shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin")
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
