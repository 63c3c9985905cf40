"""The documents say what the code says."""

from docs.tables import DOCUMENT, TABLES, current


def test_the_tables_of_the_inspection_document_are_current() -> None:
    """If not: ``python docs/tables.py``."""
    document = DOCUMENT.read_text()
    assert current(document) == document


def test_every_table_is_in_it() -> None:
    assert all(f"<!-- table: {name} -->" in DOCUMENT.read_text() for name in TABLES)
