"""Network namespaces: entered and left, and their processes found."""

import os
from pathlib import Path

import pytest

from appliance.kernel import namespaces
from appliance.kernel.errors import KernelError
from tests.ground import Ground

pytestmark = pytest.mark.root
HERE = Path("/proc/thread-self/ns/net")


def test_a_block_within_ends_where_it_began(bare: Ground) -> None:
    before = HERE.readlink()
    with bare.within("inside"):
        assert HERE.readlink() != before
    assert HERE.readlink() == before


def test_the_processes_of_a_namespace_are_its_own(bare: Ground) -> None:
    name = bare.network.namespace("inside")
    assert namespaces.processes(name) == []
    child = bare.beside("inside", lambda: (os.getpid(), namespaces.processes(name)))
    pid, found = child.result()
    assert found == [pid]


def test_a_second_of_the_same_name_is_refused(bare: Ground) -> None:
    with pytest.raises(KernelError, match="already"):
        namespaces.create(bare.network.namespace("inside"))


def test_an_absent_one_is_named() -> None:
    with pytest.raises(KernelError, match="there is no network namespace nosuch"):
        namespaces.enter("nosuch")
    assert not namespaces.exists("nosuch")
