"""The documents say what the code says."""

from pathlib import Path

import pytest

from docs.tables import DOCUMENTS, TABLES, current


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_tables_of_a_document_are_current(document: Path) -> None:
    """If not: ``python docs/tables.py``."""
    text = document.read_text()
    assert current(text) == text


def test_every_table_is_in_one() -> None:
    text = "".join(document.read_text() for document in DOCUMENTS)
    assert all(text.count(f"<!-- table: {name} -->") == 1 for name in TABLES)
