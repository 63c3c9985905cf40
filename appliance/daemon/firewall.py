"""What the firewall puts into the kernel, brought up in the order that never leaves a door open, and taken down in the
opposite one.

Up: the BPF programs count, then the rules filter, and only then addresses, routes and forwarding let packets in. Down:
forwarding ends first. From one configuration to another: what only the old one lets in ends, then the same as up.
Everything changed is noted in the run directory before it is changed, so that `cleanup` needs nothing but that
directory.
"""

from __future__ import annotations

from appliance.config.config import Config
from appliance.config.limits import limits, shortest_embryonic
from appliance.daemon.rundir import RunDirectory
from appliance.daemon.worker import QUEUE_BASE
from appliance.kernel import bpf_pins, clsact, conntrack, links, netfilter
from appliance.kernel.bpf import ConnectionTable
from appliance.kernel.found import Filter, Found
from appliance.marks import GENERATION


class Firewall:
    """A configuration in the kernel. `table` is there from `load` on."""

    table: ConnectionTable

    def __init__(self, run: RunDirectory, workers: int) -> None:
        self._run = run
        self._workers = workers
        self._found = Found(run.found)

    def load(self) -> None:
        """Load the programs that count; nothing counts yet. KernelError if the kernel or a package refuses."""
        maps = bpf_pins.mount(self._run.maps)
        if bpf_pins.uncounted(maps).exists():  # a start was killed: what it counted ends with what it did not
            bpf_pins.remove(maps)
        self.table = ConnectionTable(maps)
        self.table.set_workers(self._workers)

    def put(self, config: Config, generation: int) -> int:
        """Make `config` what the kernel goes by, whatever it went by before; new connections are of `generation`.
        How many connections that ended: those to a static that leads elsewhere now.

        KernelError, with what was done so far still in place, if something is refused: putting the old configuration
        brings back what was.
        """
        names = links.indices(config)
        there = set(names.values())
        devices = [each.hardware for each in config.interfaces if each.nameif in there and each.hardware]
        links.retire(config, self._found)
        ended = self.table.set_limits(limits(config, there), {nameif: index for index, nameif in names.items()})
        conntrack.delete(ended)
        self.table.set_timeouts(config.timeouts, shortest_embryonic(config))
        for device in devices:
            self._found.note(Filter(device))
        self.table.attach(devices)
        netfilter.apply(config, self._found, generation=generation, workers=self._workers, queue_base=QUEUE_BASE)
        links.apply(config, self._found)
        unused = [each for each in self._found.changes if isinstance(each, Filter) and each.device not in devices]
        _detach(unused, self._found)
        return len(ended)

    def succeed(self, generation: int) -> bool:
        """Let go of what earlier runs have left: maps of another layout, and, where there were none to adopt, the
        connections of before `generation`, which nothing counts. Whether there were such."""
        found = bpf_pins.uncounted(self._run.maps).exists() and _forget_all_but(generation)
        bpf_pins.remove(self._run.maps, but=self.table.pins)
        return found


def _forget_all_but(generation: int) -> bool:
    """End the connections of other generations, of whatever run. Whether there were such."""
    # To ask for one is a walk through all that the kernel tracks: its bits first, of which there mostly are none.
    bits = [1 << bit for bit in range(GENERATION.width)]
    carried = sum(bit for bit in bits if conntrack.carried(GENERATION.put(bit), GENERATION.put(bit)))
    possible = [each for each in range(1, GENERATION.top + 1) if each | carried == carried and each != generation]
    marks = [GENERATION.put(each) for each in possible]
    uncounted = [each for each in marks if conntrack.carried(each, GENERATION.mask)]
    for each in uncounted:
        conntrack.delete_carrying(each, GENERATION.mask)
    return bool(uncounted)


def _detach(filters: list[Filter], found: Found) -> None:
    clsact.detach(each.device for each in filters)
    for each in filters:
        found.forget(each)


def restore(run: RunDirectory) -> bool:
    """Put back everything a run noted in its directory, and take away what is known to be ours without any note.

    False if there was nothing.
    """
    found = Found(run.found)
    there = bool(found.changes) or run.maps.exists()
    links.restore(found)
    there |= netfilter.remove(found)
    _detach([each for each in found.changes if isinstance(each, Filter)], found)
    bpf_pins.remove(run.maps)
    bpf_pins.unmount(run.maps)
    if run.maps.is_dir():
        run.maps.rmdir()
    return there
