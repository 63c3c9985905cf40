"""Writes the tables of the documents from the tables in the code: ``python docs/tables.py``.

Between ``<!-- table: NAME -->`` and ``<!-- end -->`` stands what `TABLES[NAME]` says; a test holds the file to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from appliance.cli.tree import FIREWALL
from appliance.config import examples
from appliance.config.grammar import STATEMENTS
from appliance.config.syntax import ACCEPTED, UNDOES, Mode
from appliance.config.versions import SEED, VERSIONS, Addresses
from appliance.esmtp import commands
from appliance.esmtp.commands import BDAT, PARAMETERS, STARTTLS, Verb
from appliance.esmtp.events import Oddity, Rule
from appliance.metrics import FAMILIES
from appliance.policy.counters import OF_ODDITY, OF_RULE
from appliance.policy.inspector import LOGGED
from appliance.policy.maps import Banner, Deed
from appliance.policy.matches import CONDITIONS, EVERYWHERE, Condition, Operand
from appliance.syslog import CATALOGUE

DOCUMENTS = tuple(Path(__file__).parent / name for name in ("inspection.md", "monitoring.md", "configuration.md"))
_MARKED = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Row = Sequence[str]


def _commands() -> Iterable[Row]:
    yield "verb", "from", "the client waits for its reply", "a mail address in it is read"
    for name, verbs in vars(commands).items():
        if name.startswith("RFC"):
            for verb in verbs:
                yield _command(verb, f"RFC {name[3:]}")
    yield _command(STARTTLS, "RFC 3207, only with `allow-tls`")
    yield f"`{BDAT.word}`", "RFC 3030: never, its line is X-ed", "yes", ""


def _command(verb: Verb, source: str) -> Row:
    address = "the sender's" if verb.sender else "a recipient's" if verb.path else ""
    return f"`{verb.word}`", source, "yes" if verb.waits else "", address


def _keywords() -> Iterable[Row]:
    yield "keyword", "word of `match ehlo-reply-parameter`"
    for keyword, word in PARAMETERS.items():
        yield f"`{keyword.decode()}`", f"`{word}`"
    yield "any other", "`others`"


def _criteria() -> Iterable[Row]:
    yield "`match [not] …`", "what is compared", "actions of its own", "in the default map"
    for row in CONDITIONS:
        yield f"`{row.phrase} {_operand(row)}`", row.summary, _actions(row), _default(row)


def _operand(row: Condition) -> str:
    match row.operand:
        case Operand.NUMBER:
            return "gt N"
        case Operand.WORDS:
            return "{" + " ".join(row.words) + "} …"
        case Operand.REGEX:
            return "regex {NAME \\| class NAME}"


def _actions(row: Condition) -> str:
    found = []
    for deed in Deed:
        if deed in row.deeds - EVERYWHERE:
            found.append(f"`{deed.value} {'N' if deed is Deed.RATE_LIMIT else '[log]'}`")
    return ", ".join(found)


def _default(row: Condition) -> str:
    if row.default is None:
        return ""
    operand = f"gt {row.default}" if isinstance(row.default, int) else " ".join(row.default)
    return f"`{operand}`: `{row.reaction}`"


def _oddities() -> Iterable[Row]:
    yield "what", "counted as", "logged (108005)"
    for each in Oddity:
        yield each.value, f"`{OF_ODDITY[each].label}`", f"`{LOGGED[each]}: …`" if each in LOGGED else ""


def _rules() -> Iterable[Row]:
    yield "108004 says", "counted as"
    for each in Rule:
        yield f"`{each.value}: …`", f"`{OF_RULE[each].label}`"


def _records() -> Iterable[Row]:
    yield "message", "severity", "when"
    yield from _messages_if(lambda number: number // 1000 in _OF_INSPECTION)


def _messages() -> Iterable[Row]:
    yield "message", "severity", "when"
    yield from _messages_if(lambda number: number // 1000 not in _OF_INSPECTION)


_OF_INSPECTION = (108, 507)


def _messages_if(wanted: Callable[[int], bool]) -> Iterable[Row]:
    for number, record in sorted(CATALOGUE.items()):
        if wanted(number):
            yield f"`%{record.product}-{record.severity}-{number}`", str(record.severity), _sentence(record)


def _sentence(record: type) -> str:
    text = " ".join((record.__doc__ or "").split("\n\n")[0].split())
    return re.split(r"[:;] |\. |\.$", text)[0]


def _shows() -> Iterable[Row]:
    yield "command", "what it does"
    for each in FIREWALL:
        if each.words[0] in ("show", "clear"):
            words = " ".join(part for part in (*each.words, each.operands) if part).replace("|", "\\|")
            yield f"`{words}`", each.help


def _metrics() -> Iterable[Row]:
    yield "metric", "labels", "what it says"
    for each in FAMILIES:
        yield f"`{each.exposed}`", " ".join(f"`{label}`" for label in each.labels), each.help


def _statements(mode: Mode) -> Callable[[], Iterable[Row]]:
    """What is acted on in a mode; what is not, `_accepted` has."""

    def rows() -> Iterable[Row]:
        yield "statement", "example", "what it means"
        for each in STATEMENTS[mode]:
            if each.says not in (ACCEPTED, UNDOES) and each.syntax not in ("exit", "quit", "end"):
                texts = examples.written(each), examples.example(each)
                syntax, example = (text.replace("|", "\\|") for text in texts)
                yield f"`{syntax}`", f"`{example}`", (each.says or "a comment").replace("|", "\\|")

    return rows


def _accepted() -> Iterable[Row]:
    yield "where", "statements that begin so"
    for mode in (Mode.CONFIGURE, Mode.INTERFACE, Mode.CLASS):
        heads = [
            examples.written(each).removesuffix(" […]")
            for each in STATEMENTS[mode]
            if each.says == ACCEPTED and not each.syntax.startswith("no ")
        ]
        yield f"`{mode.value}`", ", ".join(f"`{each}`" for each in sorted(heads)).replace("|", "\\|")


_KNOWN = {Addresses.BOTH: "either address", Addresses.MAPPED: "mapped addresses", Addresses.REAL: "real addresses"}


def _versions() -> Iterable[Row]:
    yield (
        "`compatibility`",
        "releases from",
        "access lists and denials know",
        "banner",
        "VRFY in the EHLO reply",
        "TLS",
        "verbs",
        "NAT",
    )
    for each in (SEED, *VERSIONS):
        yield (
            f"`{each.name}`" if each.name else "(none, and no head)",
            ".".join(map(str, each.since)) if each.name else "",
            _KNOWN[each.addresses],
            "`mask-banner all`" if each.banner is Banner.ALL else "`mask-banner`",
            "known" if each.vrfy else "masked",
            "`allow-tls`" if each.allow_tls else "`no allow-tls`",
            "the seven of RFC 821" if each.pix6 else "all fifteen",
            "`nat-control`" if each.nat_control else "",
        )


TABLES: dict[str, Callable[[], Iterable[Row]]] = {
    "commands": _commands,
    "keywords": _keywords,
    "criteria": _criteria,
    "oddities": _oddities,
    "rules": _rules,
    "records": _records,
    "messages": _messages,
    "shows": _shows,
    "metrics": _metrics,
    "versions": _versions,
    **{f"statements-{mode.value}": _statements(mode) for mode in Mode if mode is not Mode.ACCEPTED},
    "accepted": _accepted,
}


def _table(name: str) -> str:
    head, *rows = TABLES[name]()
    return "".join(f"| {' | '.join(each)} |\n" for each in (head, ["---"] * len(head), *rows))


def current(document: str) -> str:
    """`document` with its tables as the code has them now. KeyError for a table nobody makes."""
    return _MARKED.sub(lambda found: found[1] + _table(found[2]) + found[3], document)


if __name__ == "__main__":
    for document in DOCUMENTS:
        document.write_text(current(document.read_text()))
