"""What the firewall puts into the kernel, brought up in the order that never leaves a door open, and taken down in the
opposite one.

Up: the BPF programs count, then the rules filter, and only then addresses, routes and forwarding let packets in. Down:
forwarding ends first. Everything changed is noted in the run directory before it is changed, so that `cleanup` needs
nothing but that directory.
"""

from __future__ import annotations

from appliance.config.config import Config
from appliance.daemon.rundir import RunDirectory
from appliance.daemon.worker import QUEUE_BASE
from appliance.kernel import bpf_pins, links, netfilter
from appliance.kernel.bpf import ConnectionTable
from appliance.kernel.found import Filter, Found

#: The policy generation of new connections; a reload would take another.
GENERATION = 1


class Firewall:
    """A configuration in the kernel. `table` is there from `up` on."""

    table: ConnectionTable

    def __init__(self, config: Config, run: RunDirectory, workers: int) -> None:
        self._config = config
        self._run = run
        self._workers = workers
        self._found = Found(run.found)

    def up(self) -> None:
        """Bring it up; KernelError, with what was done so far still in place, if something is refused."""
        config = self._config
        names = links.indices(config)
        devices = [each.hardware for each in config.interfaces if each.nameif in names.values() and each.hardware]
        self.table = ConnectionTable(bpf_pins.mount(self._run.maps))
        self.table.set_statics(config.statics, {nameif: index for index, nameif in names.items()})
        self.table.set_timeouts(config.timeouts)
        self.table.set_workers(self._workers)
        for device in devices:
            self._found.note(Filter(device))
        self.table.attach(devices)
        netfilter.apply(config, self._found, generation=GENERATION, workers=self._workers, queue_base=QUEUE_BASE)
        links.apply(config, self._found)


def restore(run: RunDirectory) -> bool:
    """Put back everything a run noted in its directory, and take away what is known to be ours without any note.

    False if there was nothing.
    """
    found = Found(run.found)
    there = bool(found.changes) or run.maps.exists()
    links.restore(found)
    there |= netfilter.remove(found)
    filters = [each for each in found.changes if isinstance(each, Filter)]
    ConnectionTable.detach(each.device for each in filters)
    for each in filters:
        found.forget(each)
    bpf_pins.remove(run.maps)
    bpf_pins.unmount(run.maps)
    if run.maps.is_dir():
        run.maps.rmdir()
    return there
