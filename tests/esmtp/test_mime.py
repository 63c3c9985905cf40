"""MIME: what a message says of its parts, against Python's email package, which reads the whole of it at once."""

import email
import email.utils
import itertools
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.esmtp.events import Exceeded, MimeEncoding, MimeFile, Odd, Quantity
from appliance.esmtp.fields import ROOM
from appliance.esmtp.mime import BOUNDARY, FIELD, NESTING, PARTS, Fields, Finder, Mime
from appliance.esmtp.settings import Settings

ALL = Settings({Quantity.TO_FIELDS: (0, 1, 2)}, wanted=frozenset({MimeFile, MimeEncoding}))


def stuffed(message: bytes) -> bytes:
    """`message` as it is on the wire."""
    return (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]


def read(message, ends=(), settings=ALL):
    """The facts of a message cut at `ends`, as it is on the wire."""
    mime, facts, at = Mime(settings), [], 0
    for end in [*sorted(ends), len(message)]:
        if end > at and not mime.opaque:
            mime.feed(message[at:end], at, True, facts)
        at = max(at, end)
    mime.end(len(message), facts)
    return facts


def everyhow(message, settings=ALL):
    """The facts, which are the same whole, octet by octet and at every two-way split."""
    whole = read(message, settings=settings)
    assert read(message, range(len(message)), settings) == whole
    for at in range(1, len(message)):
        assert read(message, [at], settings) == whole
    return whole


def files(message):
    """The files of a message, however it is cut."""
    return [(fact.filename.decode(), fact.content_type) for fact in everyhow(message) if isinstance(fact, MimeFile)]


def name_of(value):
    """The names a Content-Disposition gives."""
    return [name for name, _ in files(b"Content-Disposition: attachment" + value + b"\r\n\r\nbody\r\n")]


# --- well-formed messages, and what the oracle reads in them ------------------------------------------------------

NAMES = st.text(st.sampled_from("ab(1) é€;\"\\=?'%*.日"), min_size=1, max_size=12).map(str.strip).filter(bool)
TYPES = ["text/plain", "application/pdf", "image/PNG", "Application/X-Foo"]
ENCODINGS = ["7bit", "8BIT", "base64", "Quoted-Printable", "binary", "x-uuencode"]
LINES = st.sampled_from([b"", b"text", b".", b"..x", b"-", b"--", b"--no", b"Content-Type: a/b; name=no", b"x" * 80])


def quoted(name: str) -> bytes:
    return b'"' + name.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def percent(octets: bytes) -> bytes:
    return b"".join(b"%%%02X" % octet for octet in octets)


@st.composite
def parameters(draw: st.DrawFn, name: str, value: str) -> bytes:
    """The parameter `name` in one of the ways clients write it."""
    form = draw(st.integers(0, 3))
    fold = draw(st.sampled_from([b"; ", b";", b";\r\n ", b"; \r\n\t"]))
    key = draw(st.sampled_from([name, name.upper(), name.title()])).encode()
    octets = value.encode()
    if form == 0 or (form == 1 and not value.isascii()):
        return fold + key + b"=" + quoted(value)
    if form == 1:
        return fold + key + b"=" + (octets if octets.isalnum() else quoted(value))
    if form == 2:
        return fold + key + b"*=utf-8'en'" + percent(octets)
    cut = draw(st.integers(0, len(octets)))
    first = fold + key + b"*0*=UTF-8''" + percent(octets[:cut])
    second = fold + key + b"*1*=" + percent(octets[cut:])
    return second + first if draw(st.booleans()) else first + second


@st.composite
def sections(draw: st.DrawFn, content_type: bytes) -> bytes:
    """The fields of a header section, `content_type` among them unless it is empty."""
    fields = draw(st.lists(st.sampled_from([b"Subject: a\r\n b", b"X-To: b", b"Contents: x", b"To: a@b"]), max_size=3))
    if content_type:
        fields.append(b"Content-Type: " + content_type)
    if draw(st.booleans()):
        disposition = draw(st.sampled_from([b"attachment", b"inline"]))
        fields.append(b"content-disposition: " + disposition + draw(parameters("filename", draw(NAMES))))
    if draw(st.booleans()):
        fields.append(b"CONTENT-TRANSFER-ENCODING: " + draw(st.sampled_from(ENCODINGS)).encode())
    return b"".join(field + b"\r\n" for field in draw(st.permutations(fields)))


@st.composite
def entities(draw: st.DrawFn, depth: int, numbers: itertools.count) -> bytes:
    """A message or a part: header section, empty line, body."""
    kind = draw(st.sampled_from(["leaf", "leaf", "multipart", "message"] if depth else ["leaf"]))
    if kind == "leaf":
        content_type = draw(st.sampled_from(["", *TYPES])).encode()
        if content_type and draw(st.booleans()):
            content_type += draw(parameters("name", draw(NAMES)))
        body = b"".join(line + b"\r\n" for line in draw(st.lists(LINES, max_size=4)))
        return draw(sections(content_type)) + b"\r\n" + body
    if kind == "message":
        return draw(sections(b"message/rfc822")) + b"\r\n" + draw(entities(depth - 1, numbers))
    boundary = draw(st.sampled_from(["=_%d_x", "b %d b", "a'()+_,-./:=?%d"])) % next(numbers)
    parts = draw(st.lists(entities(depth - 1, numbers), min_size=1, max_size=3))
    delimiter = b"\r\n--" + boundary.encode()
    kind = draw(st.sampled_from([b"multipart/mixed", b"Multipart/Alternative"]))
    text = draw(sections(kind + b"; boundary=" + quoted(boundary))) + b"\r\npreamble"
    text += b"".join(delimiter + draw(st.sampled_from([b"", b" \t"])) + b"\r\n" + part for part in parts)
    return text + delimiter + b"--\r\nepilogue\r\n"


def oracle(message: bytes):
    """The names with their types, and the encodings, as the email package has them."""
    names, encodings = [], []
    for part in email.message_from_string(message.decode()).walk():
        content_type = part.get_content_type() if part["Content-Type"] else ""
        found = []
        for field, key in (("content-type", "name"), ("content-disposition", "filename")):
            value = part.get_param(key, None, field)
            if isinstance(value, tuple):
                value = email.utils.collapse_rfc2231_value(value)
            if value is not None:
                found.append((value, content_type))
        names += list(dict.fromkeys(found)) or ([("", content_type)] if content_type else [])
        if part["Content-Transfer-Encoding"]:
            word = part["Content-Transfer-Encoding"].lower()
            encodings.append(word if word != "x-uuencode" else "others")
    return names, encodings


@settings(max_examples=300)
@given(st.builds(itertools.count).flatmap(lambda numbers: entities(3, numbers)), st.data())
def test_names_and_encodings_are_those_of_the_email_package(message, data):
    names, encodings = oracle(message)
    wire = stuffed(message)
    facts = read(wire, data.draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    assert [(f.filename.decode(), f.content_type) for f in facts if isinstance(f, MimeFile)] == names
    assert [fact.word for fact in facts if isinstance(fact, MimeEncoding)] == encodings


# --- what mail has besides --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (b"; filename=report(1).pdf", ["report(1).pdf"]),  # brackets without quotes, as Windows names copies
        (b"; filename=my report.pdf", ["my report.pdf"]),  # blanks without quotes
        (b'; filename = "a.pdf"', ["a.pdf"]),
        (b'; filename="a.pdf" (a comment; filename="b.pdf")', ["a.pdf"]),
        (b" (one (two) \\) three) ; (four) filename=a", ["a"]),
        (b'; filename="a;b\\"c.pdf"', ['a;b"c.pdf']),
        (b'; filename="a.pdf', ["a.pdf"]),  # quotes never closed
        (b'; filename="a\r\n b.pdf"', ["a b.pdf"]),
        (b"; filename=a; filename=b", ["a", "b"]),  # readers take the first or the last
        (b"; filename=a; filename*=''b", ["a", "b"]),
        (b'; filename="=?UTF-8?B?w6kucGRm?="', ["é.pdf"]),
        (b'; filename="=?iso-8859-1?q?=E9_1.pdf?="', ["é 1.pdf"]),
        (b'; filename="=?utf-8?B?w6k=?=\r\n =?utf-8*fr?Q?=C3=A8?= x"', ["éè x"]),
        (b"; filename==?utf-8?B?w6k=?=", ["é"]),
        (b"; filename*0=a; filename*1*=%2Eb; filename*2=%2E", ["a.b%2E"]),  # RFC 2231 4.1: each piece by itself
        (b"; filename*1=b; filename*0=a", ["ab"]),
        (b"; filename*=iso-8859-1'de'%FC", ["ü"]),
        (b"; filename*=utf-16le''a%00", ["a"]),
        (b"; filename", []),
        (b"", []),
        (b";;; filename=a;", ["a"]),
        (b'; filename=""', [""]),
        (b"; xfilename=a; file name=b", []),
    ],
)
def test_a_name_as_clients_write_it(value, names):
    assert name_of(value) == names


def test_octets_in_a_charset_nobody_knows_stay_as_they_are():
    text = b"Content-Disposition: x; filename*=x-none''%FF%FE\r\n\r\n"
    assert [fact.filename for fact in everyhow(text)] == [b"\xff\xfe"]


@pytest.mark.parametrize(
    ("value", "content_type"),
    [
        (b"text/plain", "text/plain"),
        (b" TEXT / Html ; charset=x", "text/html"),
        (b" (a) application/(b)pdf", "application/pdf"),
        (b"\r\n image/png", "image/png"),
        (b"image/png;", "image/png"),
    ],
)
def test_a_media_type(value, content_type):
    assert files(b"Content-Type:" + value + b"\r\n\r\n") == [("", content_type)]


PART = b"Content-Type: a/b; name=n\r\n\r\n"


def multipart(body, boundary=b"b", kind=b"mixed"):
    return b"Content-Type: multipart/" + kind + b'; boundary="' + boundary + b'"\r\n\r\n' + body


class TestStructure:
    def parts(self, message):
        return [name for name, _ in files(message)].count("n")

    @pytest.mark.parametrize(
        ("body", "parts"),
        [
            (b"--b\r\n" + PART, 1),
            (b"\r\n--b\r\n" + PART + b"--b\r\n" + PART + b"--b--\r\n--b\r\n" + PART, 2),
            (b"--b\n" + PART, 1),  # a bare LF before or behind a delimiter line: some servers have it so
            (b"x\n--b\r\n" + PART, 1),
            (b"--b  \t\r\n" + PART, 1),
            (b".--b\r\n" + PART, 1),  # a dot nobody stuffed is taken away too
            (b"--b\r\n." + PART, 1),
            (b"--b-\r\n" + PART, 1),  # RFC 2046 5.1.1: the beginning of the line is compared
            (b"--bb\r\n" + PART, 1),
            (b" --b\r\n" + PART, 0),
            (b"-b\r\n" + PART, 0),
            (b"--B\r\n" + PART, 0),
            (b"x--b\r\n" + PART, 0),
            (b"--b\r\nContent-Type: a/b; name=n", 1),  # the message ends in a header section
            (b"--b\r\nContent-Type: a/b; name=n\r\n--b\r\n" + PART, 2),  # so does the part
            (b"--b\r\n--no: x\r\n-- \r\n" + PART, 1),
            (b"--b\r\n\r\n" + PART, 0),
            (b"--b\r\n--b\r\n--b\r\n" + PART, 1),
        ],
    )
    def test_delimiter_lines(self, body, parts):
        assert self.parts(multipart(body)) == parts

    def test_multiparts_within_each_other(self):
        inner = multipart(b"--c\r\n" + PART + b"--c--\r\n" + PART, b"c")
        assert self.parts(multipart(b"--b\r\n" + inner + b"--b\r\n" + PART + b"--b--\r\n")) == 2

    def test_an_outer_delimiter_ends_the_inner_multipart(self):
        inner = multipart(b"--c\r\n" + PART, b"c")
        assert self.parts(multipart(b"--b\r\n" + inner + b"--b\r\n" + PART + b"--c\r\n" + PART)) == 2

    def test_the_longer_of_two_boundaries_that_begin_alike(self):
        inner = multipart(b"--bc\r\n" + PART + b"--bc--\r\n" + PART, b"bc")  # what follows its end is no part
        assert self.parts(multipart(b"--b\r\n" + inner + b"--b\r\n" + PART)) == 2

    @pytest.mark.parametrize("kind", [b"message/rfc822", b"Message/Global"])
    def test_a_message_in_a_message(self, kind):
        wrapped = b"Content-Type: " + kind + b"\r\n\r\n"
        assert self.parts(wrapped + wrapped + PART) == 1
        assert self.parts(multipart(b"--b\r\n" + wrapped + multipart(b"--c\r\n" + PART, b"c"))) == 1

    def test_the_parts_of_a_digest_are_messages(self):
        assert self.parts(multipart(b"--b\r\n\r\n" + PART, kind=b"digest")) == 1
        assert self.parts(multipart(b"--b\r\nContent-Type: a/b\r\n\r\n" + PART, kind=b"digest")) == 0

    def test_a_boundary_in_pieces(self):
        text = b"Content-Type: multipart/x; boundary*0=b; boundary*1=c\r\n\r\n--bc\r\n" + PART
        assert self.parts(text) == 1

    def test_every_content_type_of_a_section_counts(self):
        assert self.parts(b"Content-Type: a/b\r\n" + multipart(b"--b\r\n" + PART)) == 1
        assert self.parts(b"Content-type : a/b\r\n" + multipart(b"--b\r\n" + PART)) == 1

    def test_fields_behind_a_bare_line_feed_count(self):
        assert self.parts(b"X: y\nContent-Type: a/b; name=n\n\nbody") == 1

    def test_a_longer_boundary_is_known_by_its_beginning(self):
        long = b"x" * BOUNDARY + b"yz"
        assert self.parts(multipart(b"--" + long + b"\r\n" + PART + b"--" + long + b"--\r\n", long)) == 1


class TestToFields:
    @pytest.mark.parametrize(
        ("header", "count"),
        [
            (b"", 0),
            (b"To: a, b, c\r\n", 1),
            (b"tO : a\r\nTO: b\r\n", 2),
            (b"Tomorrow: a\r\n To: b\r\nX-To: c\r\nReply-To: d\r\n", 0),
            (b"To: a\r\n\tTo: b\r\nCc: c\r\nTo:\r\nTo: x\r\n", 3),
        ],
    )
    def test_fields_count_not_recipients(self, header, count):
        facts = everyhow(header + b"\r\nTo: body\r\n")
        assert [fact.limit for fact in facts if isinstance(fact, Exceeded)] == [n for n in (0, 1, 2) if n < count]

    def test_of_the_message_alone(self):
        facts = everyhow(multipart(b"--b\r\nContent-Type: message/rfc822\r\n\r\nTo: a\r\n\r\n"))
        assert not [fact for fact in facts if isinstance(fact, Exceeded)]


@pytest.mark.parametrize(("octets", "exceeded"), [(254, 0), (255, 0), (256, 1)])
@pytest.mark.parametrize("field", [b"Content-Type: a/b; name=%b", b'Content-Disposition: a; filename="%b"'])
def test_the_longest_name(field, octets, exceeded):
    limited = Settings({Quantity.MIME_FILENAME: (255,)})
    facts = everyhow(field % (b"n" * octets) + b"\r\n\r\n", limited)
    assert len(facts) == exceeded
    assert all(isinstance(fact, Exceeded) for fact in facts)
    doubled = b"%C3%A9" * (octets // 2) + b"n" * (octets % 2)  # two octets a letter
    assert len(read(b"Content-Type: a/b; name*=utf-8''" + doubled + b"\r\n\r\n", settings=limited)) == exceeded


@pytest.mark.parametrize(
    ("value", "word"),
    [(b" 7BIT", "7bit"), (b"base64 (x)", "base64"), (b"", "others"), (b"x-uuencode", "others"), (b" 8bit;", "8bit")],
)
def test_an_encoding(value, word):
    facts = everyhow(b"Content-Transfer-Encoding:" + value + b"\r\n\r\nContent-Transfer-Encoding: 7bit\r\n")
    assert [fact.word for fact in facts] == [word]


def test_nothing_is_said_that_nobody_asks_for():
    text = multipart(b"--b\r\nTo: a\r\nContent-Transfer-Encoding: 7bit\r\n" + PART + b"--b\r\n" + PART)
    assert read(text, settings=Settings({Quantity.MIME_FILENAME: (255,)})) == []


# --- hostile input ----------------------------------------------------------------------------------------------


def unreadable(message, size=4096):
    """What is said of a structure that is not followed, however coarse the cut."""
    said = [fact.detail for fact in read(message, range(0, len(message), size)) if isinstance(fact, Odd)]
    assert said == [fact.detail for fact in read(message) if isinstance(fact, Odd)]
    return said


def nested(depth):
    return b"".join(multipart(b"--%d\r\n" % each, b"%d" % each) for each in range(1000, 1000 + depth))


def test_as_deep_as_postfix_goes():
    assert (unreadable(nested(NESTING) + PART), files(nested(5) + PART)[-1]) == ([], ("n", "a/b"))
    assert unreadable(nested(NESTING + 3) + PART) == ["nesting"]


def test_so_many_parts():
    assert unreadable(multipart(b"--b\r\n" * PARTS)) == []
    assert unreadable(multipart(b"--b\r\n" * (PARTS + 2))) == ["parts"]
    assert unreadable(b"Content-Type: message/rfc822\r\n\r\n" * (PARTS + 2)) == ["parts"]


def test_a_field_without_an_end():
    start = b"Content-Type: multipart/mixed; name=n; x="
    assert unreadable(start + b"x" * (FIELD - len(start)) + b"\r\n\r\n") == []
    for line in (b"x" * 3 * FIELD, b"\r\n x" * FIELD):
        assert unreadable(start + line + b"\r\n\r\n") == ["field"]
    assert unreadable(b"Subject: " + b"x" * 3 * FIELD + b"\r\n" + PART) == []


SHAPES = {
    "no line end": b"x",
    "all dots": b"\r\n..",
    "all headers": b"a: b\r\n",
    "all header fields that matter": b"Content-Type: a/b; name=n\r\n",
    "short fields that matter": b"To:\r\n",
    "one folded field": b"\r\n ;a=b",
    "comments": b"(",
    "quotes": b'"',
    "encoded words": b"=?a?q?",
    "carriage returns": b"\r",
    "line feeds": b"\n",
    "lines like delimiters": b"\r\n--",
    "stuffed lines like delimiters": b"\n.--",
    "delimiters": b"\r\n--b",
    "parts": b"\r\n--b\r\n" + PART,
    "nested multiparts": multipart(b"--b\r\n"),
    "messages in messages": b"Content-Type: message/rfc822\r\n\r\n",
}
BEFORE = {"message": b"", "field": b"Content-Type: a/b", "multipart": multipart(b"--b\r\n"), "deep": nested(NESTING)}


class Work:
    """What is done, counted: calls of Python and of C, and octets searched or read again."""

    def __init__(self, monkeypatch):
        self.calls = self.octets = 0
        find, read_fields = Finder.next, Fields.read

        def counted_next(finder, at):
            before = finder._found
            found = find(finder, at)
            self.octets += max(found - at, 0) if before < at else 0
            return found

        def counted_read(fields, last):
            self.octets += len(fields._collected)
            read_fields(fields, last)

        monkeypatch.setattr(Finder, "next", counted_next)
        monkeypatch.setattr(Fields, "read", counted_read)

    def of(self, message, size):
        self.calls = self.octets = 0
        sys.setprofile(self._count)
        try:
            read(message, range(0, len(message), size))
        finally:
            sys.setprofile(None)
        return self.calls / len(message), self.octets / len(message)

    def _count(self, _frame, event, _argument):
        self.calls += event in ("call", "c_call")


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("shape", SHAPES)
def test_work_is_bounded_for_every_octet(shape, before, monkeypatch):
    """The bounds say "so many for an octet"; work that grows with the square passes them by orders of magnitude."""
    work = Work(monkeypatch)
    unit = SHAPES[shape]
    message = BEFORE[before] + unit * (150_000 // len(unit))
    for size in (1448, 64_000):
        calls, octets = work.of(message, size)
        assert calls < 16
        assert octets < 8
    assert work.of(message[:20_000], 1)[1] < 30


def test_a_section_that_never_stops_naming_itself_is_remembered_no_further():
    """Constant memory and one moment's work at the section's end, however many names it gives (ROOM)."""
    mime, facts, at = Mime(ALL), [], 0
    for number in range(20_000):
        field = b"Content-Type: application/x; name=n%d\r\n" % number
        mime.feed(field, at, True, facts)
        at += len(field)
    section = mime._fields.section
    assert len(section.media) <= ROOM // 64
    mime.feed(b"\r\n", at, True, facts)
    odd = [each.detail for each in facts if isinstance(each, Odd)]
    files = [each for each in facts if isinstance(each, MimeFile)]
    assert (odd, files[0].filename) == (["field"], b"n0")
    assert len(files) <= ROOM // 64
