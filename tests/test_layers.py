"""The dependency rule: a module imports its own package or a lower row, and the edge stays at the edge."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROWS = [
    {"value"},
    {"flow", "marks", "plain"},
    {"tcp", "esmtp"},
    {"policy", "nat", "syslog"},
    {"config", "datapath"},
    {"iptables", "show"},
    {"kernel", "control", "replay", "metrics"},
    {"daemon", "lab"},
    {"cli"},
]
EDGE = {"kernel", "control", "replay", "metrics", "daemon", "lab", "cli"}
#: The modules that reach outside, and the packages that may name them.
FENCED = {
    "bcc": {"kernel"},
    "netfilterqueue": {"kernel"},
    "pyroute2": {"kernel", "lab"},
    "prometheus_client": {"metrics"},
    "re2": {"policy"},
    "scapy": {"replay", "lab"},
    "logging": set[str](),
    "socket": EDGE - {"metrics", "replay"},
    "subprocess": EDGE - {"metrics", "replay", "control"},
    "time": EDGE - {"replay"},
}
#: Of these, what reaches nothing: text in, text out.
PURE_LIBRARIES = {"re2"}
ROW = {name: number for number, names in enumerate(ROWS) for name in names}
ROOT = Path(__file__).parents[1] / "appliance"
MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def package(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    here = package(path)
    assert here in ROW, f"{here} has no row: add it here and in the map"
    for name in imported(path):
        top, _, rest = name.partition(".")
        there = rest.split(".")[0]
        if top == "appliance" and there != here:
            assert ROW[there] < ROW[here], f"{here} may not import {name}"
        if top in FENCED:
            assert here in FENCED[top], f"{here} may not import {name}"


def name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def test_no_imports_go_in_a_circle() -> None:
    """Within a package neither; CycleError says which do."""
    names = {name(path) for path in MODULES}
    graph = {
        name(path): {found for each in imported(path) for found in (each, each.rpartition(".")[0]) if found in names}
        for path in MODULES
    }
    assert sum(map(len, graph.values())) > len(graph)
    TopologicalSorter(graph).prepare()


PURE = [path for path in MODULES if ROW[package(path)] < ROW["kernel"]]


def test_pure_rows_import_without_root_kernel_socket_or_clock() -> None:
    """Every pure module imports in an interpreter in which our own modules may not import the edge."""
    names = [name(path) for path in PURE]
    assert len(names) > 20
    script = f"""
import builtins, importlib, sys
real = builtins.__import__
def fenced(name, globals=None, locals=None, fromlist=(), level=0):
    asker = (globals or {{}}).get("__name__", "")
    if asker.startswith("appliance") and name.split(".")[0] in {sorted(FENCED.keys() - PURE_LIBRARIES)!r}:
        raise ImportError(f"{{asker}} imports {{name}}")
    return real(name, globals, locals, fromlist, level)
builtins.__import__ = fenced
for name in {names!r}:
    importlib.import_module(name)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT.parent)
    assert done.returncode == 0, done.stderr


def test_the_map_names_every_package() -> None:
    document = (ROOT / "__init__.py").read_text()
    for path in MODULES:
        assert f"{package(path)} " in document, f"{package(path)} is not on the map"
