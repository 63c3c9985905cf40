"""The documents say what the code says."""

import re
from pathlib import Path

import pytest

from docs.tables import DOCUMENTS, TABLES, current

ROOT = Path(__file__).parents[1]
PROSE = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
#: A file or a folder of ours in a text: from the root, or from `appliance/`. What is built is none.
PLACE = re.compile(r"`(?!build/)((?:[a-z_0-9]+/)+(?:[a-z_0-9.-]+\.[a-z]+)?|[a-z_]+\.py)`")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_tables_of_a_document_are_current(document: Path) -> None:
    """If not: ``python docs/tables.py``."""
    text = document.read_text()
    assert current(text) == text


def test_every_table_is_in_one() -> None:
    text = "".join(document.read_text() for document in DOCUMENTS)
    assert all(text.count(f"<!-- table: {name} -->") == 1 for name in TABLES)


@pytest.mark.parametrize("document", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_is_there(document: Path) -> None:
    text = document.read_text()
    gone = [
        name for name in PLACE.findall(text) if not any((root / name).exists() for root in (ROOT, ROOT / "appliance"))
    ]
    gone += [link for link in LINK.findall(text) if "://" not in link and not (document.parent / link).exists()]
    assert not gone


def test_the_design_knows_every_package() -> None:
    tree = (ROOT / "docs" / "design.md").read_text().split("```")[1]
    known = set(re.findall(r"^  ([a-z]+)(?:/|\.py) ", tree, re.MULTILINE))
    there = {
        each.stem for each in (ROOT / "appliance").iterdir() if each.suffix == ".py" or (each / "__init__.py").exists()
    }
    assert known == there - {"__init__"}
