"""Lines of words with their columns."""

from appliance.config.diagnostics import Diagnostic
from appliance.config.lexer import FILE_OCTETS, LINE_OCTETS, Line, lines


def words(text: str | bytes) -> list[list[tuple[str, int]]]:
    found = []
    for line in lines(text):
        assert isinstance(line, Line)
        found.append([(word.text, word.column) for word in line.words])
    return found


def only_error(text: str | bytes) -> Diagnostic:
    (found,) = lines(text)
    assert isinstance(found, Diagnostic)
    return found


def test_a_line_is_words_with_columns_from_one() -> None:
    assert words("hostname a") == [[("hostname", 1), ("a", 10)]]
    assert words("  nameif\t inside  ") == [[("nameif", 3), ("inside", 11)]]


def test_blank_lines_and_comments_are_nothing_and_are_counted() -> None:
    assert [each.number for each in lines("!\n\n   \n\t! x\nhostname a\n") if isinstance(each, Line)] == [5]


def test_a_bang_inside_a_line_is_a_word() -> None:
    assert words("description wow !") == [[("description", 1), ("wow", 13), ("!", 17)]]


def test_line_ends_are_lf_or_crlf_and_the_last_needs_none() -> None:
    assert words(b"a\r\nb\nc") == [[("a", 1)], [("b", 1)], [("c", 1)]]


def test_parentheses_hold_one_word_spaces_and_all() -> None:
    assert words("static (inside, outside) 1") == [[("static", 1), ("(inside, outside)", 8), ("1", 26)]]
    assert words("(a b")[0] == [("(a", 1), ("b", 4)]


def test_what_does_not_print_is_an_error_at_its_place() -> None:
    assert only_error(b"hostname \x1b[31m").place.column == 10
    assert only_error(b"a\r b\n").place.column == 2
    assert only_error("description \u202eevil").place.column == 13
    assert only_error(b"description \xff").place.column == 13


def test_printable_letters_of_any_script_are_words() -> None:
    assert words("description Zürich") == [[("description", 1), ("Zürich", 13)]]


def test_in_a_comment_anything_goes() -> None:
    assert words(b"! \x1b\x00\xff\nb") == [[("b", 1)]]
    assert words(b"!" + b"x" * 5000) == []


def test_a_line_has_512_octets() -> None:
    assert len(words("a" * LINE_OCTETS)) == 1
    assert only_error("a" * (LINE_OCTETS + 1)).place.column == LINE_OCTETS + 1
    assert only_error("ü" * 257).place.column == 257


def test_a_file_too_large_is_refused_unread() -> None:
    assert "larger" in only_error(b"\n" * (FILE_OCTETS + 1)).message
    assert words(b"\n" * FILE_OCTETS) == []
