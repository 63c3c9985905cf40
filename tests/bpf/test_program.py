"""What keeps the program from loading or running is one line that helps, and its structures keep their sizes."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP

from appliance import marks
from appliance.flow import Side
from appliance.kernel import bpf, bpf_pins
from appliance.kernel.bpf import CONNECTIONS, ConnectionTable
from appliance.kernel.bpf_program import Module
from appliance.kernel.errors import KernelError
from appliance.nat.classes import LimitedClass, Limits
from appliance.nat.connection import Ending, Key, State, Stranded
from appliance.nat.machine import Packet, Verdict
from appliance.nat.static import Static
from appliance.tcp.segment import ACK, FIN, RST, SYN
from tests.admission import (
    CLIENT,
    MAPPED,
    OTHER,
    REAL,
    bring,
    by_real,
    client,
    key,
    limit,
    line,
    mail,
    only,
    police,
    proxied_syn,
    server,
    static,
    syn,
)

pytestmark = pytest.mark.root


def test_without_bcc_the_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "bcc", None)
    with pytest.raises(KernelError, match=r"apt-get install python3-bpfcc"):
        ConnectionTable(cache=tmp_path)


def test_a_source_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"none\.c: No such file or directory$"):
        Module(tmp_path / "none.c", [], [], tmp_path)


@pytest.mark.parametrize("text", ["int broken(", "int ingress(struct __sk_buff *skb) { return *(int *)0; }"])
def test_a_program_the_compiler_or_the_verifier_refuses_is_said(tmp_path: Path, text: str) -> None:
    source = tmp_path / "bad.c"
    source.write_text(text)
    with pytest.raises(KernelError, match=r"^bad\.c could not be loaded: [^\n]*$"):
        Module(source, [], ["ingress"], tmp_path)


def test_a_header_may_use_a_map(tmp_path: Path) -> None:
    (tmp_path / "maps.h").write_text('BPF_TABLE("array", u32, u32, seen, 1);\n')
    (tmp_path / "seeing.h").write_text(
        '#include "maps.h"\n'
        "static inline u32 see(void) { u32 zero = 0, *at = seen.lookup(&zero); return at ? ++*at : 0; }\n"
    )
    (tmp_path / "main.c").write_text(
        '#include "maps.h"\n#include "seeing.h"\nint ingress(struct __sk_buff *skb) { return see(); }\n'
    )
    module = Module(tmp_path / "main.c", [], ["ingress"], tmp_path)
    try:
        assert [module.programs["ingress"].run(bytes(64)).value for _ in range(3)] == [1, 2, 3]
    finally:
        module.close()


def test_what_the_compiler_says_has_its_place(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sound.h").write_text("\n\n")
    (tmp_path / "broken.h").write_text("\nint broken(;\n")
    for name, text, place in (
        ("one.c", '#include "sound.h"\n#include "broken.h"\n', "broken.h:2:"),
        ("two.c", '\n#include "sound.h"\nint broken(;\n', "two.c:3:"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(KernelError, match="could not be loaded"):
            Module(tmp_path / name, [], [], tmp_path)
        assert place in capfd.readouterr().err


def test_a_device_that_is_not_there_is_said(box: Any) -> None:
    with pytest.raises(KernelError, match=r"^there is no network device gone0$"):
        box.table.attach(["gone0"])


def test_workers_beyond_the_mark_are_refused(box: Any) -> None:
    for workers in (0, 33):
        with pytest.raises(KernelError, match="workers"):
            box.table.set_workers(workers)


def test_a_frame_the_kernel_will_not_run_is_said(box: Any) -> None:
    with pytest.raises(KernelError, match=r"^the kernel did not run BPF program ingress: Invalid argument$"):
        box.table.programs["ingress"].run(b"short")


def test_the_verifier_is_far_from_its_limit(box: Any) -> None:
    """It gives up at 1,000,000 instructions; another kernel's may need some times as many as this one's."""
    for program in box.table.programs.values():
        assert 0 < _verified(program.fd) < 100_000, program.name


def _verified(fd: int) -> int:
    """``bpf_prog_info.verified_insns`` (uapi/linux/bpf.h): BPF_OBJ_GET_INFO_BY_FD of bpf(2)."""
    told = ctypes.create_string_buffer(256)
    asked = ctypes.create_string_buffer(struct.pack("=IIQ", fd, len(told), ctypes.addressof(told)))
    number = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
    assert ctypes.CDLL(None).syscall(number, 15, asked, 16) == 0
    return int(struct.unpack_from("=I", told, 216)[0])


def test_a_million_entries_fit_into_128_mib(tmp_path: Path) -> None:
    """By what the kernel says the map takes: 48 octets of value make 123 MiB (bpf-notes section 2)."""
    table = ConnectionTable(size=1_000_000, cache=tmp_path)
    try:
        conns = table._module.table("conns")
        told = dict(line.split(":\t") for line in Path(f"/proc/self/fdinfo/{conns.get_fd()}").read_text().splitlines())
        assert int(told["max_entries"]) == 1_000_000
        assert 100 << 20 < int(told["memlock"]) <= 128 << 20
        assert ctypes.sizeof(conns.Leaf) == 48
    finally:
        table.close()
    assert CONNECTIONS & (CONNECTIONS - 1) == 0  # a hash table's buckets are a power of two


def test_a_full_table_refuses_and_says_so(tmp_path: Path, box: Any) -> None:
    table = ConnectionTable(size=4, cache=tmp_path)
    full = replace(box, table=table)
    try:
        police(full, mail(max_conns=9), statics=(9, 9))
        admitted = [port for port in range(1, 100) if full.leaves(syn(port)) is not Verdict.DROP]
        assert len(admitted) == len(full.states()) == 4
        assert (full.use(), full.shares()) == ((4, 4), {"mail": ({REAL: (4, 4)}, {})})
        assert table.refused_full() == 95
        assert full.clear(*full.states()) == 4
        assert (full.use(), full.shares()) == ((0, 0), {"mail": ({}, {})})
    finally:
        table.close()


def test_a_full_table_of_shares_refuses_and_says_so(tmp_path: Path, box: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpf, "SHARES", 4)
    table = ConnectionTable(size=64, cache=tmp_path)
    full = replace(box, table=table)
    try:
        police(full, mail(client_max=9))
        made = [Packet(Key(MAPPED, 25, CLIENT + host, 1000), Side.CLIENT, SYN, 100) for host in range(5)]
        runs = [full.run("egress", full.frame(each, Side.SERVER), full.inside, full.outside) for each in made]
        assert [each.value for each in runs] == [-1] * 3 + [2] * 2
        assert (full.use(), table.refused_shares(), table.refused_full()) == ((3, 3), 2, 0)
    finally:
        table.close()


def test_what_a_sweep_ended_while_events_were_lost_is_known(box: Any) -> None:
    limit(box, 2)
    bring(box, State.ESTABLISHED)
    box.later(3601)
    assert (box.sweep(), box.table.unheard()) == (1, [])
    bring(box, State.ESTABLISHED)
    box.leaves(syn(2))
    flood = box.frame(proxied_syn(3), Side.SERVER)  # of which each is told: there is no place for it
    box.run("egress", flood, box.inside, 0, repeat=20_000)
    lost = box.table.lost_events()
    assert lost > 0
    box.later(3601)
    assert box.sweep() == 2
    assert box.table.lost_events() == lost + 2
    assert sorted(box.table.unheard(), key=str) == [key(), key(2)]
    assert box.table.unheard() == []


def test_a_static_that_is_gone_keeps_its_count_until_its_connections_are_gone(box: Any) -> None:
    bring(box, State.ESTABLISHED)
    box.set_limits(Limits())
    assert box.table.counts() == ()
    assert box.states() == {key(): State.ESTABLISHED}
    assert box.arrives(client(ACK)) is Verdict.SKIP
    limit(box, 1)
    assert box.use() == (1, 0)
    box.set_limits(Limits())
    box.clear(key())
    box.set_limits(Limits())
    assert box.arrives(client(ACK)) is Verdict.PASS
    other = Static("inside", "outside", IPv4Address("203.0.113.126"), REAL)
    box.set_limits(Limits((other,)))
    assert box.use() == (0, 0)


def test_what_the_server_acknowledged_last(box: Any) -> None:
    assert box.table.acknowledged(by_real(key())) is None
    bring(box, State.ESTABLISHED)
    box.leaves(client(ACK, payload=100))
    before = box.table.acknowledged(by_real(key()))
    box.leaves(server(ACK, ack=before + 100))
    assert box.table.acknowledged(by_real(key())) == before + 100


def test_a_static_that_is_gone_refuses_nobody(box: Any) -> None:
    limit(box, 1)
    bring(box, State.ESTABLISHED)
    assert box.arrives(syn(2)) is Verdict.DROP
    box.set_limits(Limits())
    assert box.arrives(syn(2)) is Verdict.SKIP


def test_the_number_behind_a_fin(box: Any) -> None:
    assert box.table.behind_fin(by_real(key()), Side.CLIENT) is None
    bring(box, State.ESTABLISHED)
    assert box.table.behind_fin(by_real(key()), Side.CLIENT) is None
    box.leaves(client(ACK | FIN, payload=100))
    assert [box.table.behind_fin(by_real(key()), side) for side in (Side.CLIENT, Side.SERVER)] == [202, None]
    box.kill(key())
    assert box.table.behind_fin(by_real(key()), Side.CLIENT) == 202


def test_connections_end_where_their_static_leads_elsewhere(box: Any) -> None:
    bring(box, State.ESTABLISHED)
    moved = Static("inside", "outside", MAPPED, OTHER)
    assert box.table.set_limits(Limits((moved,)), box.interfaces) == [key()]
    assert box.states() == {}
    [ended] = box.events()
    assert (ended.key, ended.real, ended.ending) == (key(), REAL, Ending.CLEARED)
    assert box.table.set_limits(Limits((static(),)), box.interfaces) == []
    assert box.use() == (0, 0)


def test_more_of_a_kind_than_there_is_room_for_is_said(box: Any) -> None:
    many = tuple(LimitedClass("p", None, str(number)) for number in range(300))
    with pytest.raises(KernelError, match=r"^300 limited classes: the kernel's table has room for 255$"):
        box.set_limits(Limits((), many))
    with pytest.raises(KernelError, match=r"^300 lines say what `set connection` limits: there is room for 256$"):
        box.set_limits(Limits((), many[:1], (line(many[0]),) * 300))


def test_the_worker_asked_for_is_the_worker_marked(box: Any) -> None:
    box.table.set_workers(7)
    for port in range(1, 50):
        run = box.run(
            "ingress",
            IP(src=str(CLIENT), dst=str(MAPPED)) / TCP(sport=port, dport=25, flags="S"),
            box.outside,
            box.outside,
        )
        assert box.table.worker(by_real(key(port))) == marks.WORKER.get(run.mark)


def test_a_connection_of_which_a_class_that_inspects_was_seen_is_inspected(box: Any) -> None:
    def inspected() -> list[bool]:
        return [each.inspected for each in box.table.connections()]

    def says_noop(mark: int) -> None:
        packet = box.frame(client(ACK, payload=6), Side.SERVER)
        box.run("egress", packet, box.inside, box.outside, mark)

    bring(box, State.ESTABLISHED)
    says_noop(marks.GENERATION.put(5) | marks.WORKER.put(3))
    assert inspected() == [False]
    says_noop(marks.CLASS.put(2))
    assert inspected() == [True]
    says_noop(0)
    assert inspected() == [True]
    box.leaves(client(ACK | RST, seq=107))
    bring(box, State.ESTABLISHED)
    assert inspected() == [False], "another connection on the tuple"


def test_who_finds_a_connection_that_is_about_to_be_deleted_comes_again_or_is_reset(box: Any) -> None:
    conns = box.table._module.table("conns")
    box.leaves(syn())
    ((known, entry),) = conns.items()
    entry.state = State.CLOSED  # as another CPU makes it just before it deletes it
    conns[known] = entry
    box.events()
    assert box.leaves(syn()) is Verdict.DROP
    assert box.events() == []
    assert box.leaves(proxied_syn()) is Verdict.DROP
    assert isinstance(only(box.events()), Stranded)
    del conns[known]


def test_a_load_that_is_cut_short_leaves_word_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its maps may be there by then: the next program would go on with them as if something were counted there."""

    def killed(*_: object) -> None:
        raise KernelError("killed")

    monkeypatch.setattr(bpf, "Module", killed)
    with pytest.raises(KernelError, match="killed"):
        ConnectionTable(tmp_path)
    assert bpf_pins.uncounted(tmp_path).is_dir()
