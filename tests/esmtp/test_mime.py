"""MIME: what a message says of its parts, against Python's email package, which reads the whole of it at once."""

import base64
import email
import email.policy
import email.utils
import itertools
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.esmtp.events import Exceeded, MimeEncoding, MimeFile, Odd, Quantity
from appliance.esmtp.fields import FIELD, PATIENCE, ROOM, Fields
from appliance.esmtp.mime import BOUNDARIES, BOUNDARY, PARTS, Lines, Mime, says_nothing
from appliance.esmtp.parameters import words
from appliance.esmtp.settings import Settings

ALL = Settings({Quantity.TO_FIELDS: (0, 1, 2)}, wanted=frozenset({MimeFile, MimeEncoding}))


def stuffed(message: bytes) -> bytes:
    """`message` as it is on the wire."""
    return (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]


def read(message, ends=(), settings=ALL):
    """The facts of a message cut at `ends`, as it is on the wire."""
    mime, facts, at = Mime(settings), [], 0
    if says_nothing(b"\r\n" + message[: min([*ends, len(message)])], settings):
        return facts
    for end in [*sorted(ends), len(message)]:
        if end > at and not mime.opaque:
            mime.feed(message[at:end], at, facts)
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


def calm(name: str) -> bool:
    """Whether every reader reads `name` alike, however it is written."""
    return not set(name) & set(";\"\\=?'%()")


@settings(max_examples=300)
@given(st.builds(itertools.count).flatmap(lambda numbers: entities(3, numbers)), st.data())
def test_names_and_encodings_are_those_of_the_email_package(message, data):
    names, encodings = oracle(message)
    wire = stuffed(message)
    facts = read(wire, data.draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    found = [(f.filename.decode(), f.content_type) for f in facts if isinstance(f, MimeFile)]
    assert Counter(names) <= Counter(found)
    if all(calm(name) for name, _ in names):
        assert found == names
    assert [fact.word for fact in facts if isinstance(fact, MimeEncoding)] == encodings


# --- what mail has besides --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (b'; filename = "a.pdf"', ["a.pdf"]),
        (b" (one (two) \\) three) ; (four) filename=a", ["a"]),
        (b'; FileName="report (1).pdf"', ["report (1).pdf"]),
        (b"; filename=a; filename=b", ["a", "b"]),  # readers take the first or the last
        (b"; filename=a; filename*=''b", ["a", "b"]),
        (b'; filename="=?UTF-8?B?w6kucGRm?="', ["é.pdf"]),
        (b'; filename="=?iso-8859-1?q?=E9_1.pdf?="', ["é 1.pdf"]),
        (b"; filename==?utf-8?B?w6k=?=", ["é"]),
        (b"; filename*1=b; filename*0=a", ["ab"]),
        (b"; filename*=iso-8859-1'de'%FC", ["ü"]),
        (b"; filename*=utf-16le''a%00", ["a"]),
        (b"; filename", []),
        (b"", []),
        (b";;; filename=a;", ["a"]),
        (b'; filename=""', [""]),
        (b"; filename*1*=; filename*0*=UTF-8''%31", ["1"]),
        (b"; xfilename=a", []),
    ],
)
def test_a_name_that_is_read_one_way(value, names):
    assert name_of(value) == names


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (b"; filename=report(1).pdf", ["report(1).pdf", "report", "report.pdf"]),  # is it a comment?
        (b"; filename=my report.pdf", ["my report.pdf", "my"]),  # is it over at the blank?
        (b'; filename="a;b\\"c.pdf"', ['a;b"c.pdf', 'a;b\\"c.pdf', "a;b\\", "a"]),
        (b'; filename="a.pdf', ["a.pdf"]),  # quotes that are never closed
        (b'; x="; filename=a.exe', ["a.exe"]),
        (b'; x="y; filename=a.exe; z="', ["a.exe"]),
        (b'; filename="a\r\n .pdf"', ["a .pdf", "a.pdf"]),  # a fold: does its blank stay?
        (b'; filename="=?utf-8?B?w6k=?=\r\n =?utf-8*fr?Q?=C3=A8?= x"', ["éè x"]),
        (b"; filename*0=a; filename*1*=%2Eb; filename*2=%2E", ["a.b%2E"]),  # RFC 2231 4.1: each piece by itself
        # A comment that is never closed, or none at all (RFC 5322 3.2.2).
        (b" (; filename=a.exe", ["a.exe"]),
        (b" (a; filename=a.exe; b) ; c=d", ["a.exe"]),
        (b"; x=(y\\); filename=a.exe", ["a.exe"]),
        (b"; filename(x)=a.exe", ["a.exe"]),
        (b"; file(x)name=a.exe", ["a.exe"]),
        (b"; filename=a.(;)exe", ["a.exe"]),
        (b'; filename="a.pdf" (a comment; filename="b.pdf")', ["a.pdf", "b.pdf"]),
        # Pieces that are given twice, that have a gap, or no first one (RFC 2231 3).
        (b"; filename*0=a; filename*0=b; filename*1=.c", ["a.c", "b.c", "ab.c"]),
        (b"; filename*=''a; filename*0=b; filename*1=.c", ["a", "b.c", "a.c"]),
        (b"; filename=a; filename*1=.c", ["a", ".c", "a.c"]),
        (b"; filename*0=a; filename*2=.c", ["a", "a.c"]),
        (b"; filename*0==?utf-8?q?a=2E?=; filename*1=exe", ["a.exe"]),
        (b'; filename*0="=?utf-8?q?a=2E"; filename*1="exe?="', ["a.exe"]),
        (b"; filename*=utf-8''=?utf-8?q?a=2Eexe?=", ["a.exe"]),
        (b"; filename*0*=%2; filename*1*=Eexe", [".exe"]),
        (b"; filename*='%27a.exe", ["a.exe", "''a.exe"]),
        # Words (RFC 2047) that decoders read differently.
        (b"; filename==?utf-7?q?a+AC4-exe?=", ["a.exe"]),
        (b"; filename==?utf-8?b?YQ==LmV4ZQ==?=", ["a.exe", "a"]),  # padding in the middle
        (b"; filename==?utf-8?b?YS5leGU?=", ["a.exe"]),
        (b"; filename==?utf-8?b?YS5leGVl!Y?=", ["a.exee"]),
        # Names and blanks.
        (b"; name=a.exe", ["a.exe"]),
        (b"; filename\t=a.exe", ["a.exe"]),
        (b"; filename\t*0\t*=a.exe", ["a.exe"]),
        (b"; filename\r\n =\r\n a.exe", ["a.exe"]),
        (b"; a=b filename=a.exe", ["a.exe"]),  # a semicolon that is missing
        (b';a="b"filename=a.exe', ["a.exe"]),
        (b", filename=a.exe, b", ["a.exe, b", "a.exe"]),
        (b"; filename=<a.exe>", ["a.exe", "<a.exe>"]),
        (b'; filename="a.e"xe', ["a.e", "a.exe"]),
        (b'; filename=a."exe"', ["a.exe"]),
        (b'; filename="C:\\a.exe"', ["C:a.exe", "C:\\a.exe"]),
        (b'; filename="a.exe\0.txt"', ["a.exe", "a.exe.txt"]),
        # A bare CR: a line end or an octet.
        (b"; filename=a\r.exe", ["a.exe", "a"]),
        (b'; filename="a.txt\rContent-Disposition: x; filename=b.exe"', ["b.exe"]),
        (b"; x=y\r.Content-Type: a/b; name=b.exe", ["b.exe"]),
        (b'; filename="a\r\n. b.exe"', ["a b.exe"]),  # a dot nobody stuffed, before a fold
        (b'; filename="a\\"b;c;d;e;f"; x=y', ['a"b;c;d;e;f', 'a\\"b;c;d;e;f']),  # backslashes: undone, or octets
    ],
)
def test_a_name_that_readers_read_differently(value, names):
    """Each of `names` is seen; what comes of the field besides is what other readers might make of it."""
    found = name_of(value)
    assert set(names) <= set(found)


#: What a field may be made of, well or not.
SHREDS = st.sampled_from(
    [
        *(b"; ", b";", b"; filename", b"; name", b"filename", b"name", b"*", b"*0", b"*1", b"*2", b"*0*", b"*1*", b"="),
        *(b'"', b"\\", b"(", b")", b" ", b"\t", b"\r\n ", b",", b"<", b">", b"/", b":", b"@", b"%", b"'"),
        *(b"a.exe", b".b", b"c", b"utf-8''", b"%2E", b"=?utf-8?q?a=2Eb?="),
    ]
)
FIELDS = st.sampled_from([b"Content-Type: a/b; ", b"Content-Disposition: attachment; "])


def names_of_the_email_package(text: bytes) -> Iterator[bytes]:
    """The name each of its two parsers reports; folds it keeps are undone, and words (RFC 2047) it does not decode."""
    for policy in (email.policy.default, email.policy.compat32):
        try:
            name = email.message_from_bytes(text, policy=policy).get_filename()
        except (AttributeError, IndexError, TypeError, ValueError):  # it has its bugs
            continue
        if name:
            yield words(name.encode("utf-8", "surrogateescape").translate(None, b"\r\n"), padded=False)


@settings(max_examples=1000)
@given(FIELDS, st.lists(SHREDS, max_size=14))
def test_whatever_name_the_email_package_reads_is_seen(field, shreds):
    text = field + b"".join(shreds) + b"\r\n\r\n"
    seen = {fact.filename for fact in read(text) if isinstance(fact, MimeFile)}
    assert set(names_of_the_email_package(text)) <= seen


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
    assert files(b"Content-Type:" + value + b"\r\n\r\n")[0] == ("", content_type)


@pytest.mark.parametrize(
    ("field", "types"),
    [
        (b"Content-Type: a/b\r\nContent-Type: c/d", {"a/b", "c/d"}),
        (b"Content-Type: a/b\r\nContent-Type: c/d\r\nContent-Disposition: x; filename=n", {"a/b", "c/d"}),
        (b"Content-Type: a/b name=n", {"a/b"}),
        (b"Content-Type: a/b, c/d", {"a/b", "a/b,c/d"}),
        (b"Content-Type: a/(b; c)d", {"a/d"}),
        (b"X: y\rContent-Type: a/b", {"a/b"}),
        (b"Content-Disposition: x\rContent-Type: a/b", {"a/b"}),
    ],
)
def test_every_media_type_of_a_section(field, types):
    assert types <= {content_type for _, content_type in files(field + b"\r\n\r\n")}


@pytest.mark.parametrize(
    "field", [b"Content-Type: a/b; filename=n", b"Content-Disposition: a; name=n", b"Content-Type\0\t: a/b; name=n"]
)
def test_either_name_in_either_field(field):
    assert "n" in [name for name, _ in files(field + b"\r\n\r\n")]


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
            (b"\r\n--b\r\n" + PART + b"--b\r\n" + PART + b"--b--\r\n" + PART, 2),
            (b"--b-- \t\r\n" + PART, 0),
            (b"--b--\n" + PART, 0),
            (b"--b--\r" + PART, 0),
            (b"--b--\r\n--b\r\n" + PART, 1),  # behind the last delimiter: some readers go on
            (b"--b--x\r\n" + PART, 1),  # not exactly the last delimiter
            (b"--b--          \r\n" + PART, 1),
            (b"--b\rContent-Type: a/b; name=n\r\n\r\n", 1),  # a bare CR: a line end to some
            (b"x\r--b\r\n" + PART, 1),
            (b"x\r.--b\r\n" + PART, 1),
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

    @pytest.mark.parametrize("between", [b"--b", b"--b--", b"--b--x", b"--bx", b"--c--"])
    def test_no_delimiter_ends_another_multipart(self, between):
        """Not even an outer one's, or its own: what is over for one reader isn't for another."""
        inner = multipart(b"--c\r\n" + PART, b"c")
        assert self.parts(multipart(b"--b\r\n" + inner + between + b"\r\n\r\n--c\r\n" + PART)) == 2

    def test_of_two_boundaries_that_begin_alike_either_may_be_meant(self):
        inner = multipart(b"--bc\r\n" + PART + b"--bc--\r\n" + PART, b"bc")
        assert self.parts(multipart(b"--b\r\n" + inner + b"--b\r\n" + PART)) == 3

    @pytest.mark.parametrize(
        "value",
        [
            b"boundary=x; boundary=b",
            b"boundary=b; boundary=x",
            b"boundary=x; boundary*=''b",
            b"boundary=b (x",
            b"(boundary=b",
            b'boundary="b',
            b"boundary=b c",
            b"boundary\t=\tb",
            b"boundary*0=x; boundary*0=b",
        ],
    )
    def test_every_reading_of_a_boundary_counts(self, value):
        assert self.parts(b"Content-Type: multipart/mixed; " + value + b"\r\n\r\n--b\r\n" + PART) == 1

    @pytest.mark.parametrize("kind", [b"text/plain", b"multipart/", b"multi part/mixed", b"x, multipart/mixed"])
    def test_what_has_a_boundary_may_be_a_multipart(self, kind):
        assert self.parts(b"Content-Type: " + kind + b"; boundary=b\r\n\r\n--b\r\n" + PART) == 1

    def test_a_multipart_without_a_boundary(self):
        assert self.parts(b"Content-Type: multipart/mixed\r\n\r\n---\r\n" + PART) == 1

    @pytest.mark.parametrize("kind", [b"message/rfc822", b"Message/Global"])
    def test_a_message_in_a_message(self, kind):
        wrapped = b"Content-Type: " + kind + b"\r\n\r\n"
        assert self.parts(wrapped + wrapped + PART) == 1
        assert self.parts(multipart(b"--b\r\n" + wrapped + multipart(b"--c\r\n" + PART, b"c"))) == 1

    @pytest.mark.parametrize("first", [0, 1])
    def test_a_message_and_a_multipart_at_once(self, first):
        """A section states both: its body is read as either."""
        types = [b"Content-Type: message/rfc822\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n"]
        header = types[first] + types[1 - first] + b"\r\n"
        assert self.parts(header + PART) == 1
        assert self.parts(header + b"\r\n--b\r\n" + PART) == 1
        assert self.parts(header + multipart(b"--c\r\n" + PART, b"c") + b"--b\r\n" + PART) == 2

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
        facts = everyhow(multipart(b"--b\r\nContent-Type: a/b\rTo: a\r\n\r\n"))
        assert not [fact for fact in facts if isinstance(fact, Exceeded)]


@pytest.mark.parametrize(("octets", "exceeded"), [(254, 0), (255, 0), (256, 1)])
@pytest.mark.parametrize("field", [b"Content-Type: a/b; name=%b", b'Content-Disposition: a; filename="%b"'])
def test_the_longest_name(field, octets, exceeded):
    limited = Settings({Quantity.MIME_FILENAME: (255,)})
    facts = everyhow(field % (b"n" * octets) + b"\r\n\r\n", limited)
    assert len(facts) == exceeded
    assert all(isinstance(fact, Exceeded) for fact in facts)
    short = b"Content-Disposition: a; filename*=utf-8''" + b"\xff" * 87 + b"\r\n\r\n"  # each becomes three octets
    assert len(everyhow(short, limited)) == 1
    doubled = b"%C3%A9" * (octets // 2) + b"n" * (octets % 2)  # two octets a letter
    assert len(read(b"Content-Type: a/b; name*=utf-8''" + doubled + b"\r\n\r\n", settings=limited)) == exceeded


MEASURED = Settings({Quantity.MIME_FILENAME: tuple(range(300))})
DATES = b'size=9;\r\n\tcreation-date="Wed, 19 Feb 2025 10:00:00 GMT";\r\n\tread-date="Wed, 19 Feb 2025 10:00:00 GMT"'


def word(octets):
    return b"=?UTF-8?B?" + base64.b64encode(octets) + b"?="


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (b'"a;b.pdf"; ' + DATES, 7),  # Outlook; the quotes close, so what is behind them is no name
        (b'"a;\\"b\\".pdf"; ' + DATES, 9),
        (b'"a;b.pdf"; x-apple-part-url="' + b"A" * 240 + b'"', 7),
        (b"a b.pdf; " + DATES, 7),
        (b"Report (final.pdf; " + DATES, 17),
        (b'"a.pdf; size=9; x=y', 5),  # quotes that are never closed
        (b'"' + b"a" * 290, 290),
        (b"a.pdf; filename=ab.pdf", 6),  # two names: the longer one
        (b'"' + b"_" * 90 + b"\"; filename*0*=UTF-8''%E6%97; filename*1*=%A5; filename*2=.pdf", 90),  # not one name
        (b"a; filename*0*=UTF-8''" + b"%41" * 70 + b"; filename*1*=" + b"%41" * 70, 140),
        (b'"' + word("日本".encode()[:4]) + b"\r\n " + word("日本".encode()[4:]) + b'"', 6),  # cut inside a character
        (b'"' + word("日".encode()[:2]) + b" x " + word("日".encode()[2:]) + b'"', 9),  # these are no neighbours
        (b'"' + word("日".encode()[:2]) + b"=?iso-8859-1?q?=A5?=" + b'"', 5),  # nor of one charset
        (b'"=?utf-8?q?' + b"=E6=97=A5" * 90 + b'?="', 270),  # octets of UTF-8, not characters
    ],
)
def test_how_long_a_name_is(value, octets):
    """What may be read in several ways is as long as what is nearest to the grammar."""
    text = b"Content-Disposition: attachment; filename=" + value + b"\r\n\r\n"
    assert [fact.limit for fact in everyhow(text, MEASURED)] == list(range(octets))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b"=?utf-7?q?a+AC4?= =?utf-7?q?-exe?=", "a.exe"),  # words decoded one by one, and put together first
        (b"=?utf-7?q?a+AC4-e?= =?utf-7?q?xe?=", "a.exe"),
        (b"=?csUTF7?q?a+AC4-exe?=", "a.exe"),
        (b"=?unicode-1-1-utf-7?q?a+AC4-exe?=", "a.exe"),
        (word("é".encode()[:1]) + b" " + word("é".encode()[1:]), "é"),
        (word("é".encode()[:1]) + b" " + word("é".encode()[1:]), "��"),
    ],
)
def test_words_in_a_row(value, name):
    assert name in name_of(b'; filename="' + value + b'"')


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


TEXT = b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n"


@pytest.mark.parametrize(
    "more",
    [
        b"Content-Type: a/b; name=n",
        b"Content-Disposition: x; filename=n",
        b"\tname=n",
        b" ; name=n",
        b"x: y\rContent-Type: a/b; name=n",
        b"x: y\nContent-Type: a/b; name=n",
        b"Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\nContent-Type: a/b; name=n",
        b"Content-Type: message/rfc822\r\n\r\nContent-Type: a/b; name=n",
    ],
)
def test_the_quick_way_past_a_mere_text_passes_nothing_else(more):
    """The fields of a text are looked at no closer, as long as there is nothing besides."""
    limited = Settings({Quantity.MIME_FILENAME: (0,)})
    assert read(TEXT + b"\r\nbody\r\n", settings=limited) == []
    assert everyhow(TEXT + more + b"\r\n\r\n", limited) or more[:1] in b"\t "
    assert everyhow(TEXT[: TEXT.index(b"Content-Tr")] + more + b"\r\n\r\n", limited)


# --- hostile input ----------------------------------------------------------------------------------------------


def unreadable(message, size=4096):
    """What is said of a structure that is not followed, however coarse the cut."""
    said = [fact.detail for fact in read(message, range(0, len(message), size)) if isinstance(fact, Odd)]
    assert said == [fact.detail for fact in read(message) if isinstance(fact, Odd)]
    return said


def nested(depth):
    return b"".join(multipart(b"--%d\r\n" % each, b"%d" % each) for each in range(1000, 1000 + depth))


def test_so_many_boundaries():
    assert (unreadable(nested(BOUNDARIES) + PART), files(nested(5) + PART)[-1]) == ([], ("n", "a/b"))
    assert unreadable(nested(BOUNDARIES + 3) + PART) == ["nesting"]


@pytest.mark.parametrize(
    "before", [nested(BOUNDARIES + 1), b"Content-Type: message/rfc822\r\n\r\n" * (PARTS + 2)], ids=["nesting", "parts"]
)
def test_where_the_structure_is_followed_no_further_every_field_counts(before):
    """What the limits are passed with hides nothing."""
    message = before + b"text\r\n--x\r\n." + PART + b"text\rContent-Type: c/d;\r\n name=m\r\n\r\n"
    found = [(fact.filename, fact.content_type) for fact in read(message) if isinstance(fact, MimeFile)]
    assert found[-2:] == [(b"n", "a/b"), (b"m", "c/d")]
    start = len(before) - 10
    for size in (1, 7):
        assert read(message, range(start, len(message), size)) == read(message)


def test_so_many_parts():
    assert unreadable(multipart(b"--b\r\n" * PARTS)) == []
    assert unreadable(multipart(b"--b\r\n" * (PARTS + 2))) == ["parts"]
    assert unreadable(b"Content-Type: message/rfc822\r\n\r\n" * (PARTS + 2)) == ["parts"]


@pytest.mark.parametrize("encoding", [b"base64", b"Quoted-Printable (x)"])
@pytest.mark.parametrize("kind", [b"message/rfc822", b"message/global", b"multipart/mixed", b"a/b; boundary=b"])
def test_a_structure_in_an_encoding_is_not_followed(kind, encoding):
    """RFC 6532 3.7 allows it of message/global; nobody may of the others, and readers decode them all the same."""
    stated = [b"Content-Type: " + kind + b"\r\n", b"Content-Transfer-Encoding: " + encoding + b"\r\n"]
    for fields in (stated, stated[::-1]):
        assert unreadable(b"".join(fields) + b"\r\nQ29udGVudC10eXBl\r\n") == ["encoding"]
        assert unreadable(b"".join(fields).replace(encoding, b"8bit") + b"\r\nQ29udGVudC10eXBl\r\n") == []
    assert unreadable(b"Content-Type: a/b; name=n\r\n" + stated[1] + b"\r\nYQ==\r\n") == []
    limited = read(b"".join(stated) + b"\r\n", settings=Settings({Quantity.MIME_FILENAME: (255,)}))
    assert [fact.detail for fact in limited] == ["encoding"]


@pytest.mark.parametrize(
    "field", [b"Cont\0ent-Type: a/b; name=n", b"Content-Type: a/b; na\0me=n", b"X: \0", b"\0Content-Type: a/b; name=n"]
)
def test_a_header_section_with_a_nul_may_say_something_else(field):
    assert unreadable(field + b"\r\n\r\n", 1) == ["NUL"]
    assert unreadable(multipart(b"--b\r\n" + field + b"\r\n\r\n"), 1) == ["NUL"]
    assert unreadable(b"X: y\r\n\r\n" + field) == []
    quickly = everyhow(field + b"\r\n\r\n", Settings({Quantity.MIME_FILENAME: (255,)}))
    assert [fact.detail for fact in quickly] == ["NUL"]


def test_so_many_odd_values():
    """They are read in every way there is; what comes behind them in one, and that is said."""
    odd = b"--b\r\nContent-Disposition: x; filename=a b\r\n\r\n"
    assert unreadable(multipart(odd * PATIENCE)) == []
    assert unreadable(multipart(odd * (PATIENCE + 1))) == ["field"]
    facts = read(multipart(odd * PATIENCE + odd.replace(b"a b", b"c d")))
    assert [fact.filename for fact in facts if isinstance(fact, MimeFile)][-3:] == [b"a b", b"a", b"c d"]


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
    "values in quotes that are never closed": b'Content-Type: a; name="' + b";x" * 20 + b"\r\n",
    "names in names": b"Content-Type: a;" + b"name=" * 12 + b"\r\n",
    "pieces with one number": b"Content-Disposition: a;" + b"name*0=(;" * 8 + b"\r\n",
    "boundaries in a field": b"Content-Type: a;" + b"boundary=b c;" * 5 + b"\r\n\r\n",
    "fields behind bare CRs": b"\rContent-Type: a;name=n",
    "parts behind bare CRs": b"\r--b\rContent-Type: a;name=n",
}
BEFORE = {"message": b"", "field": b"Content-Type: a/b", "multipart": multipart(b"--b\r\n"), "deep": nested(BOUNDARIES)}


class Work:
    """What is done, counted: calls of Python and of C, and octets searched or read again."""

    def __init__(self, monkeypatch):
        self.calls = self.octets = 0
        find, add = Lines.find, Fields.add

        def counted_find(lines, wanted, at):
            found = lines._text.find(wanted, at)
            self.octets += (found if found >= 0 else len(lines._text)) - at
            find(lines, wanted, at)

        def counted_add(fields, octets, offset):
            self.octets += len(octets) + (0 if fields._inside else len(fields._text))
            return add(fields, octets, offset)

        monkeypatch.setattr(Lines, "find", counted_find)
        monkeypatch.setattr(Fields, "add", counted_add)

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
    message = BEFORE[before] + unit * (20_000 // len(unit))
    for size in (1448, 64_000):
        calls, octets = work.of(message, size)
        assert calls < 8
        assert octets < 2 * BOUNDARIES + 4
    assert work.of(message[:4_000], 1)[1] < 8 * BOUNDARIES


def test_a_section_that_never_stops_naming_itself_is_remembered_no_further():
    """Constant memory and one moment's work at the section's end, however many names it gives (ROOM)."""
    mime, facts, at = Mime(ALL), [], 0
    for number in range(20_000):
        field = b"Content-Type: application/x; name=n%d\r\n" % number
        mime.feed(field, at, facts)
        at += len(field)
    section = mime._section
    assert len(section.media) <= ROOM // 64
    mime.feed(b"\r\n", at, facts)
    odd = [each.detail for each in facts if isinstance(each, Odd)]
    files = [each for each in facts if isinstance(each, MimeFile)]
    assert (odd, files[0].filename) == (["field"], b"n0")
    assert len(files) <= ROOM // 64
