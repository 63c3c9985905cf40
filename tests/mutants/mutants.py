"""The list: one broken variant of each rule, and which tests must notice.

A mutant replaces `old`, which its file has exactly once, by `new`. `rule` is the row of DESIGN section 3, or the fact
or action, that it breaks. Whoever changes a line that stands here changes it here too: `make mutants` fails if a text
is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

COMMANDS = "appliance/esmtp/commands.py"
LINES = "appliance/esmtp/lines.py"
GRAMMAR = "appliance/esmtp/grammar.py"
STATES = "appliance/esmtp/states.py"
REPLIES = "appliance/esmtp/replies.py"
MESSAGE = "appliance/esmtp/message.py"
NULS = "appliance/esmtp/nuls.py"
SESSION = "appliance/esmtp/session.py"
INSPECTOR = "appliance/policy/inspector.py"
PLAN = "appliance/policy/plan.py"
READER = "appliance/datapath/reader.py"
ENDS = "appliance/datapath/ends.py"
KEPT = "appliance/datapath/kept.py"
DATAPATH = "appliance/datapath/datapath.py"
WAITING = "appliance/datapath/waiting.py"
CONNECTION = "appliance/tcp/connection.py"
STRANGERS = "appliance/datapath/strangers.py"
STREAM = "appliance/tcp/stream.py"
EDITS = "appliance/tcp/edits.py"
SEQ = "appliance/tcp/seq.py"
SEGMENT = "appliance/tcp/segment.py"
METERS = "appliance/esmtp/meters.py"
MIME = "appliance/esmtp/mime.py"
FIELDS = "appliance/esmtp/fields.py"
PARAMETERS = "appliance/esmtp/parameters.py"
RATES = "appliance/policy/rates.py"
REGEX = "appliance/policy/regex.py"
TRANSCRIPT = "appliance/replay/transcript.py"

CONNECTIONS = "appliance/show/connections.py"
TRANSLATIONS = "appliance/show/translations.py"
LOCAL_HOSTS = "appliance/show/local_hosts.py"
HITS = "appliance/iptables/hits.py"
RULES = "appliance/iptables/filter.py"
ATTACKS = "appliance/nat/attacks.py"
RECORDS = "appliance/daemon/records.py"
DENIALS = "appliance/daemon/denials.py"
GENERATIONS = "appliance/daemon/generations.py"
CONFIGURATION = "appliance/daemon/configuration.py"
STARTUP = "appliance/daemon/startup.py"
CREW = "appliance/daemon/crew.py"
CONSOLE = "appliance/cli/console.py"
EDITOR = "appliance/config/editor.py"
COMMENTS = "appliance/config/comments.py"
WALK = "appliance/iptables/walk.py"
TRACE = "appliance/iptables/trace.py"
ROUTING = "appliance/iptables/routing.py"

OF_FAIL_OPEN = ("tests/datapath/test_fail_open.py",)
OF_COMMANDS = ("tests/policy/test_commands.py",)
OF_DIALOGUE = ("tests/policy/test_dialogue.py",)
OF_REPLIES = ("tests/policy/test_replies.py",)
OF_MESSAGE = ("tests/policy/test_message.py",)
OF_CRITERIA = ("tests/policy/test_criteria.py",)
OF_MIME = ("tests/esmtp/test_mime.py",)
OF_SPELLINGS = ("tests/esmtp/test_spellings.py",)
OF_GRAMMAR = ("tests/esmtp/test_grammar.py",)
OF_CUTS = ("tests/policy/test_cuts.py",)
OF_SMUGGLING = ("tests/smuggling/test_readings.py",)
OF_SESSION = ("tests/esmtp/test_session.py", "tests/esmtp/test_states.py")
OF_STRAIGHT = ("tests/datapath/test_straight.py", "tests/tcp/test_stream.py")
OF_DATAPATH = ("tests/datapath/test_datapath.py", "tests/tcp")
OF_STREAM = ("tests/tcp/test_stream.py",)
OF_BOUNDS = ("tests/datapath/test_bounds.py",)
OF_BAD_LINE = ("tests/datapath/test_bad_line.py",)
OF_SHOW = ("tests/show",)
OF_RELOAD = (
    "tests/daemon/test_generations.py",
    "tests/daemon/test_configuration.py",
    "tests/daemon/test_startup.py",
    "tests/daemon/test_crew.py",
)
OF_CONSOLE = ("tests/cli/test_console.py",)
OF_TRACE = ("tests/iptables/test_trace.py",)
OF_STRANGERS = ("tests/datapath/test_strangers.py",)


@dataclass(frozen=True)
class Mutant:
    """One broken variant."""

    rule: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


#: Golden texts, whose rules and running-config tell it.
OF_LANGUAGE = ("tests/config/test_golden.py", "tests/iptables/test_rules.py")

MUTANTS = (
    # --- row 1: the greeting ------------------------------------------------------------------------------------
    Mutant("1: 2 and 0 stay", PLAN, 'octet if octet in b"20"', 'octet if octet in b"2"', OF_REPLIES),
    Mutant("1: mask-banner all", PLAN, 'Banner.ALL: b"*" * 256', "Banner.ALL: bytes(range(256))", OF_REPLIES),
    Mutant(
        "1: a refusal passes",
        REPLIES,
        "if code == 220 and oldest == GREETING:",
        "if oldest == GREETING:",
        OF_REPLIES,
    ),
    Mutant("1: the CR before the LF", REPLIES, 'if text.endswith(b"\\r"):', "if False:", OF_REPLIES),
    Mutant("1: four octets stay", REPLIES, "_HEAD = 4  # code", "_HEAD = 5  # code", OF_REPLIES),
    # --- row 2: the reply to EHLO -------------------------------------------------------------------------------
    Mutant(
        "2: only a 2xx", REPLIES, 'elif code // 100 == 2 and oldest == "EHLO":', 'elif oldest == "EHLO":', OF_REPLIES
    ),
    Mutant("2: any 2xx", REPLIES, "elif code // 100 == 2 and oldest", "elif code == 250 and oldest", OF_REPLIES),
    Mutant("2: mixed codes", REPLIES, " or self._code != _USUAL or", " or", OF_REPLIES),
    Mutant("2: a usual reply's codes", REPLIES, '_MORE_LINES = b"250-"', '_MORE_LINES = b"25"', OF_REPLIES),
    Mutant("2: a bare CR in a usual first line", REPLIES, ' and b"\\r" not in text:', ":", OF_REPLIES),
    Mutant("2: a bare CR in a line", REPLIES, 'if b"\\r" in text:\n', "if False:\n", OF_REPLIES),
    Mutant("2: a bare CR in the first line", REPLIES, "if run.start():", "if False:", OF_REPLIES),
    Mutant("2: a CR that may be bare", REPLIES, "self._held = held[len(text) :]", "pass", OF_REPLIES),
    Mutant("mail-relay: a dot behind the domain", PLAN, '.removesuffix(b".")', "", OF_CRITERIA),
    Mutant("2: the known", COMMANDS, 'b"VRFY": "vrfy",', 'b"CHUNKING": "vrfy",', OF_REPLIES),
    Mutant(
        "2: the first line",
        REPLIES,
        "if not self._lines or self._stalled is not None:",
        "if self._stalled is not None:",
        OF_REPLIES,
    ),
    Mutant(
        "2: case does not matter",
        REPLIES,
        'keyword = text.partition(b" ")[0].upper()',
        'keyword = text.partition(b" ")[0]',
        OF_REPLIES,
    ),
    Mutant(
        "2: AUTH=LOGIN is not AUTH",
        REPLIES,
        'keyword = text.partition(b" ")[0].upper()',
        'keyword = text.replace(b"=", b" ").partition(b" ")[0].upper()',
        OF_REPLIES,
    ),
    Mutant(
        "2: the letter begins again",
        INSPECTOR,
        "letter = self._masked_lines % len(_ALPHABET)",
        "letter = min(self._masked_lines, 25)",
        OF_REPLIES,
    ),
    Mutant(
        "2: letters of one reply",
        INSPECTOR,
        "            case EhloReply():\n                self._masked_lines = 0",
        "            case EhloReply():\n                pass",
        OF_REPLIES,
    ),
    Mutant("2: only - goes on", REPLIES, '== b"-"\n        self._begin', '!= b" "\n        self._begin', OF_DIALOGUE),
    Mutant(
        "§2: a line waits for its end",
        REPLIES,
        "        elif text:\n            self._held, self.undecided = text, offset",
        "        elif False:\n            self._held, self.undecided = text, offset",
        OF_REPLIES,
    ),
    Mutant(
        "§2: a keyword cut by the stall",
        REPLIES,
        "if blank and b",
        "if b",
        OF_REPLIES,
    ),
    Mutant("§2: octets of a line", REPLIES, "LINE = 1024\n", "LINE = 1025\n", OF_REPLIES),
    Mutant("§2: octets of a reply", REPLIES, "REPLY = 65536\n", "REPLY = 65537\n", OF_REPLIES),
    Mutant("§2: lines of a reply", REPLIES, "LINES = 100\n", "LINES = 101\n", OF_REPLIES),
    Mutant("§2: a usual first line's octets", REPLIES, " and len(line) < LINE and", " and", OF_REPLIES),
    Mutant("§2: a usual reply's octets", REPLIES, " or len(octets) - pos > LINE or", " or", OF_REPLIES),
    Mutant("§2: a usual reply's lines", REPLIES, "if nothing or len(lines) >= LINES:", "if nothing:", OF_REPLIES),
    # --- row 3: unsupported verbs -------------------------------------------------------------------------------
    Mutant("3: fifteen verbs", COMMANDS, 'RFC1985 = (Verb("ETRN"),)', "RFC1985 = ()", OF_COMMANDS),
    Mutant(
        "3: SP behind the verb",
        LINES,
        "return verb if head[length] == _SP else None",
        "return verb",
        OF_COMMANDS,
    ),
    Mutant(
        "3: every octet is X", INSPECTOR, 'Mask(side, offset, b"X" * length)', 'Mask(side, offset, b"X")', OF_COMMANDS
    ),
    Mutant("3: counted", LINES, "                self._counted = True\n", "", OF_COMMANDS),
    # --- row 4: a verb split over segments ----------------------------------------------------------------------
    Mutant("4: typed by hand", LINES, "if not ended and not typed and self", "if not ended and self", OF_COMMANDS),
    Mutant("4: cut by a segment's end", LINES, "return head.isalpha()", "return False", OF_COMMANDS),
    Mutant("4: letters only", LINES, "return head.isalpha()", "return True", OF_COMMANDS),
    # --- row 5: short commands ----------------------------------------------------------------------------------
    Mutant("5: truncated is X", LINES, "self._masked = bool(head)", "self._masked = False", OF_COMMANDS),
    Mutant("5: empty is counted", LINES, "if self._length == 0:", "if self._length < 0:", OF_COMMANDS),
    # --- row 6: the end of a command ----------------------------------------------------------------------------
    Mutant("6: bare CR", LINES, "return at, at + 1 if at + 1 < stop else -1", "return at, -1", OF_COMMANDS),
    Mutant("6: bare LF", LINES, "return stop, stop if ended else -1", "return stop, -1", OF_COMMANDS),
    Mutant(
        "6: CR cut from what follows",
        LINES,
        "return (stop, -1) if pos == stop and ended else (pos, pos)",
        "return (stop, -1)",
        OF_COMMANDS,
    ),
    Mutant(
        "6: unterminated at FIN",
        SESSION,
        "elif self._commands.unfinished or self._sasl.unfinished:",
        "elif self._sasl.unfinished:",
        OF_COMMANDS,
    ),
    # --- row 7: the sequence ------------------------------------------------------------------------------------
    Mutant(
        "7: pipelining offered",
        LINES,
        "if not dialogue.pipelining and dialogue.oldest() is not None:",
        "if dialogue.oldest() is not None:",
        OF_DIALOGUE,
    ),
    Mutant(
        "7: pipelining not offered",
        LINES,
        "if not dialogue.pipelining and dialogue.oldest() is not None:",
        "if False:",
        OF_DIALOGUE,
    ),
    Mutant("7: 354 to DATA", STATES, '354: frozenset({"DATA"}),', '354: frozenset({"DATA", "NOOP"}),', OF_DIALOGUE),
    Mutant("7: 334 to AUTH", STATES, '334: frozenset({"AUTH"}),', '334: frozenset({"AUTH", "RCPT"}),', OF_DIALOGUE),
    Mutant(
        "7: 220 to STARTTLS",
        STATES,
        '220: frozenset({GREETING, "STARTTLS"}),',
        '220: frozenset({GREETING, "STARTTLS", "NOOP"}),',
        OF_DIALOGUE,
    ),
    Mutant(
        "7: never to an X-ed one", STATES, '354: frozenset({"DATA"}),', '354: frozenset({"DATA", MASKED}),', OF_DIALOGUE
    ),
    Mutant("7: the greeting is first", STATES, " = [(GREETING, 0, 0)]", " = []", OF_DIALOGUE),
    Mutant("7: 421 at any time", STATES, "if oldest is None and code != CLOSING:", "if oldest is None:", OF_DIALOGUE),
    Mutant("7: mixed codes", REPLIES, "if number != self._code:", "if False:", OF_DIALOGUE),
    Mutant("7: three digits", REPLIES, "if not code.isdigit():", "if code.isalpha():", OF_DIALOGUE),
    Mutant(
        "7: an unexpected reply changes nothing",
        REPLIES,
        "        if self._expected:\n            self._replied",
        "        if True:\n            self._replied",
        OF_DIALOGUE,
    ),
    Mutant(
        "7: an unexpected reply is logged", INSPECTOR, ', Oddity.UNEXPECTED_REPLY: "server-reply"}', "}", OF_DIALOGUE
    ),
    Mutant("7: 1,000 outstanding", STATES, "OUTSTANDING = 1000", "OUTSTANDING = 1001", OF_DIALOGUE),
    # --- row 7a: early data -------------------------------------------------------------------------------------
    Mutant("7a: behind DATA", COMMANDS, 'Verb("DATA", waits=True)', 'Verb("DATA")', OF_DIALOGUE),
    Mutant("7a: behind AUTH", COMMANDS, 'Verb("AUTH", waits=True)', 'Verb("AUTH")', OF_DIALOGUE),
    Mutant("7a: behind STARTTLS, X-ed", LINES, "(STARTTLS, BDAT)", "(BDAT,)", OF_DIALOGUE),
    Mutant("7a: behind STARTTLS", COMMANDS, 'Verb("STARTTLS", waits=True)', 'Verb("STARTTLS")', OF_DIALOGUE),
    Mutant(
        "7a: behind a SASL line",
        STATES,
        'oldest."""\n        self.phase, self.awaited = Phase.WAITING, "SASL"',
        'oldest."""\n        self.phase, self.awaited = Phase.COMMAND, "SASL"',
        OF_DIALOGUE,
    ),
    Mutant(
        "7a: the message begins behind its 354",
        SESSION,
        "MessageBegun(self._client_end)",
        "MessageBegun(self._client_end + 1)",
        OF_SESSION,
    ),
    # --- row 8: addresses ---------------------------------------------------------------------------------------
    Mutant(
        "8: a pipe anywhere behind the colon",
        GRAMMAR,
        "if behind and octet == _PIPE:",
        "if self._place is Place.PATH and octet == _PIPE:",
        OF_COMMANDS,
    ),
    Mutant("8: SAML too", COMMANDS, 'Verb("SAML", path=True, sender=True)', 'Verb("SAML")', OF_COMMANDS),
    Mutant(
        "8: in a quoted string",
        GRAMMAR,
        "            case Place.QUOTED | Place.PAIR:\n                return True",
        "            case Place.QUOTED | Place.PAIR:\n                return False",
        OF_COMMANDS,
    ),
    Mutant("8: a quoted pair", GRAMMAR, "self._place = Place.PAIR", "pass", OF_COMMANDS),
    Mutant("8: AUTH=<>", GRAMMAR, 'self._word[1:].upper() == b" AUTH="', "False", OF_COMMANDS),
    Mutant("8: control octets", GRAMMAR, " or octet == _DEL", "", OF_COMMANDS),
    Mutant("8: but TAB", GRAMMAR, "(octet < _SP and octet != _TAB)", "octet < _SP", OF_COMMANDS),
    Mutant("8: become a space", INSPECTOR, 'Mask(side, offset, b" ")', 'Mask(side, offset, b"X")', OF_COMMANDS),
    Mutant("8: are said", INSPECTOR, "actions.append(Replaced(side, text))", "pass", OF_COMMANDS),
    Mutant(
        "8: in other commands",
        LINES,
        "                facts.append(Misplaced(at))\n                facts.append(Odd(Oddity.CONTROL, at))",
        "                facts.append(Odd(Oddity.CONTROL, at))",
        OF_COMMANDS,
    ),
    Mutant("8: 8-bit is counted once", LINES, "                self._odd = True\n", "", OF_COMMANDS),
    # --- row 9: the end of data ---------------------------------------------------------------------------------
    Mutant("9: behind DATA's own line end", MESSAGE, 'self._carried = b"\\r\\n"', 'self._carried = b""', OF_MESSAGE),
    Mutant("9: the end is CRLF . CRLF", MESSAGE, '_END = b"\\r\\n.\\r\\n"', '_END = b"\\n.\\r\\n"', OF_SMUGGLING),
    Mutant("9: LF . LF", MESSAGE, '(b"\\n.\\n", b"\\r.\\r", b"\\r.\\n")', '(b"\\r.\\r", b"\\r.\\n")', OF_SMUGGLING),
    Mutant("9: CR . CR", MESSAGE, '(b"\\n.\\n", b"\\r.\\r", b"\\r.\\n")', '(b"\\n.\\n", b"\\r.\\n")', OF_SMUGGLING),
    Mutant("9: CR . LF", MESSAGE, '(b"\\n.\\n", b"\\r.\\r", b"\\r.\\n")', '(b"\\n.\\n", b"\\r.\\r")', OF_SMUGGLING),
    Mutant(
        "9: NUL behind CR",
        NULS,
        '_LOOK_ALIKE = re.compile(rb"[\\r\\n]',
        '_LOOK_ALIKE = re.compile(rb"[\\n]',
        OF_SMUGGLING,
    ),
    Mutant("9: NUL before LF", NULS, '\\0++)[\\r\\n]")', '\\0++)[\\r]")', OF_SMUGGLING),
    Mutant("9: a run of NULs before the dot", NULS, "(?:\\0++\\.\\0*+|", "(?:\\0\\.\\0*+|", OF_MESSAGE),
    Mutant("9: a run of NULs behind the dot", NULS, "|\\.\\0++)", "|\\.\\0)", OF_MESSAGE),
    Mutant("9: a run of NULs cut in two", NULS, "text = before + octets", "text = octets", OF_MESSAGE),
    Mutant("9: NULs behind DATA's own line end", NULS, 'self._begun = b"\\n"', 'self._begun = b""', OF_MESSAGE),
    Mutant("9: LF . CR", MESSAGE, "decides = at + 3 if crlf else at + 2", "decides = at + 3", OF_MESSAGE),
    Mutant("9: CRLF . CR is open", MESSAGE, "decides = at + 3 if crlf else at + 2", "decides = at + 2", OF_SMUGGLING),
    Mutant(
        "9: what cuts it short",
        MESSAGE,
        "_first(*decides, _cut_short(text, carried, stop))",
        "_first(*decides)",
        OF_SMUGGLING,
    ),
    Mutant("9: said once a message", MESSAGE, "self._suspected = True", "pass", ("tests/esmtp/test_message.py",)),
    Mutant(
        "9: bare ends count",
        MESSAGE,
        "Odd(Oddity.BARE_LINE_END, base, count)",
        "Odd(Oddity.BARE_LINE_END, base)",
        OF_MESSAGE,
    ),
    Mutant(
        "9: no smuggling-guard",
        INSPECTOR,
        "if fact.rule is Rule.SMUGGLING and not self._map.smuggling_guard:",
        "if False:",
        OF_MESSAGE,
    ),
    Mutant(
        "9: smuggling-guard",
        INSPECTOR,
        "if fact.rule is Rule.SMUGGLING and not self._map.smuggling_guard:",
        "if fact.rule is Rule.SMUGGLING:",
        OF_SMUGGLING,
    ),
    # --- row 10: BDAT -------------------------------------------------------------------------------------------
    Mutant("10: behind BDAT", LINES, "(STARTTLS, BDAT)", "(STARTTLS,)", OF_DIALOGUE),
    # --- row 11: TLS --------------------------------------------------------------------------------------------
    Mutant(
        "11: only where allowed", LINES, "verb is None and self._settings.starttls and", "verb is None and", OF_COMMANDS
    ),
    Mutant("11: masked in the reply", INSPECTOR, "(fact.starttls and not allowed)", "False", OF_REPLIES),
    Mutant("11: a server's alert", SESSION, '(b"\\x16\\x03", b"\\x15\\x03")', '(b"\\x16\\x03",)', OF_DIALOGUE),
    Mutant("11: a client's alert is none", SESSION, '(b"\\x16\\x03",)', '(b"\\x16\\x03", b"\\x15\\x03")', OF_DIALOGUE),
    Mutant(
        "11: both sides",
        SESSION,
        "for each in self._tls.values()] == [2, 2]",
        "for each in self._tls.values()][0] == 2",
        OF_DIALOGUE,
    ),
    Mutant("11: two octets", SESSION, "octets[: 2 - len(seen)]", "octets[: 1 - len(seen)]", OF_DIALOGUE),
    # --- row 12: AUTH -------------------------------------------------------------------------------------------
    Mutant("12: AUTH stays the oldest", STATES, "if phase is not _SASL:", "if True:", OF_DIALOGUE),
    Mutant("12: the licence ends", STATES, "if self.phase is Phase.SASL and code", "if False and code", OF_DIALOGUE),
    Mutant("12: and where the reply begins", REPLIES, "self._dialogue.began(code)", "pass", OF_DIALOGUE),
    Mutant(
        "12: in the middle of a line",
        SESSION,
        "if phase is _COMMAND and self._sasl.unfinished:",
        "if False:",
        OF_DIALOGUE,
    ),
    Mutant("12: the longest line", LINES, "SASL_LINE = 12288", "SASL_LINE = 12289", OF_DIALOGUE),
    Mutant(
        "12: its end",
        LINES,
        '            facts.append(Breach(Rule.TERMINATION, "SASL',
        '            pass; (Breach(Rule.TERMINATION, "SASL',
        OF_DIALOGUE,
    ),
    Mutant(
        "12: no credential is told",
        TRANSCRIPT,
        "if kind is Kind.COMMAND and self._secret:",
        "if False:",
        ("tests/replay",),
    ),
    Mutant("12: nor behind AUTH", TRANSCRIPT, 'sent[:5].upper() == b"AUTH "', "False", ("tests/replay",)),
    # --- row 13: counts -----------------------------------------------------------------------------------------
    Mutant(
        "13: the 101st",
        LINES,
        "if count - 1 in self._settings.recipient_limits:",
        "if count in self._settings.recipient_limits:",
        OF_DIALOGUE,
    ),
    Mutant(
        "13: RSET ends one",
        STATES,
        '{"EHLO", "HELO", "RSET", END_OF_DATA}',
        '{"EHLO", "HELO", END_OF_DATA}',
        OF_DIALOGUE,
    ),
    Mutant(
        "13: EHLO ends one",
        STATES,
        '{"EHLO", "HELO", "RSET", END_OF_DATA}',
        '{"HELO", "RSET", END_OF_DATA}',
        OF_DIALOGUE,
    ),
    Mutant(
        "13: a message ends one",
        STATES,
        '{"EHLO", "HELO", "RSET", END_OF_DATA}',
        '{"EHLO", "HELO", "RSET"}',
        OF_DIALOGUE,
    ),
    Mutant("13: answered 2xx", STATES, "accepted = 200 <= code < 300", "accepted = True", OF_DIALOGUE),
    Mutant("13: a MAIL, none open", STATES, "accepted and not self._open:", "accepted:", OF_DIALOGUE),
    Mutant(
        "13: behind an unanswered one",
        STATES,
        "self._begin_transaction(recipients, 0, False)",
        "self._begin_transaction(self._recipients, 0, False)",
        OF_DIALOGUE,
    ),
    Mutant(
        "13: a command's length",
        LINES,
        "if self._length > self._settings.command_limits[self._over]:",
        "if self._length > self._settings.command_limits[self._over] + 1:",
        OF_COMMANDS,
    ),
    Mutant("13: a usual command's length", LINES, "or length > settings.command_limits[0] or", "or", OF_COMMANDS),
    Mutant(
        "13: a sender's length",
        GRAMMAR,
        "self._length > self._limits[0]:",
        "self._length >= self._limits[0]:",
        OF_COMMANDS,
    ),
    Mutant(
        "13: a usual sender's length",
        LINES,
        "len(path) > settings.longest_sender",
        "len(path) - 1 > settings.longest_sender",
        OF_COMMANDS,
    ),
    # --- row 14: how a connection is closed ---------------------------------------------------------------------
    Mutant(
        "14: dead both ways",
        DATAPATH,
        "        elif connection.state is State.DEAD:\n            self._outcome.drop(handle)",
        "        elif connection.state is State.DEAD:\n            self._outcome.go(handle, segment)",
        OF_DATAPATH,
    ),
    Mutant(
        "14: nobody speaks for the other side",
        DATAPATH,
        "if indev != connection.devices[side is _SERVER]:",
        "if False:",
        OF_DATAPATH,
    ),
    Mutant("14: a SYN replaces it", CONNECTION, "return self.state is not State.OPEN or (", "return (", OF_DATAPATH),
    Mutant(
        "14: the packet is dropped",
        ENDS,
        "            self._outcome.drop(parcel.handle)\n        resets",
        "            self._outcome.go(parcel.handle, parcel.segment)\n        resets",
        OF_DATAPATH,
    ),
    Mutant("14: the kernel is told", ENDS, "self._outcome.effects.append(Kill(flow))", "pass", OF_DATAPATH),
    Mutant(
        "14: RSTs to both",
        ENDS,
        "            SendReset(flow, False, client.expected_seq, to_seq(server.next, server.first)),\n",
        "",
        OF_DATAPATH,
    ),
    # --- row 20: connections nobody knows -----------------------------------------------------------------------
    Mutant("20: a probe of the tail is not the oldest octet", STRANGERS, "SIGHTS = 3", "SIGHTS = 2", OF_STRANGERS),
    Mutant("20: an older octet is", STRANGERS, "if ahead < 0:", "if False:", OF_STRANGERS),
    Mutant(
        "20: an end says itself what it expects",
        STRANGERS,
        "return self._heard.pop(reverse(segment.key), (0, 0, segment.seq))[2]",
        "return segment.seq",
        OF_STRANGERS,
    ),
    # --- row 21: oddities of TCP --------------------------------------------------------------------------------
    Mutant(
        "21: URG is cleared",
        DATAPATH,
        "                segment = segment.without_urgent()\n            self._reader",
        "            self._reader",
        OF_DATAPATH,
    ),
    Mutant(
        "21: no SYN with data",
        DATAPATH,
        "if flags & SYN and segment.end > segment.start:",
        "if False:",
        OF_DATAPATH,
    ),
    Mutant("21: no Multipath, no Fast Open", DATAPATH, "syn_ack.without_bypasses()", "syn_ack", OF_DATAPATH),
    Mutant(
        "21: RST at the next octet",
        CONNECTION,
        "return None if stream.expects(start) else Refusal.RST_ELSEWHERE",
        "return None",
        OF_DATAPATH,
    ),
    Mutant("21: an RST's payload", DATAPATH, "segment.with_payload(bytes(length))", "segment", OF_DATAPATH),
    Mutant(
        "21: nothing behind a FIN",
        CONNECTION,
        "if stream.beyond_end(end, bool(flags & FIN)):",
        "if False:",
        OF_DATAPATH,
    ),
    Mutant(
        "21: nothing comes again behind an RST",
        DATAPATH,
        "at_once(connection, State.RESET)",
        "at_once(connection, State.CLOSED)",
        OF_DATAPATH,
    ),
    Mutant(
        "21: nor behind one that the kernel saw",
        READER,
        "        if not by_fins:\n            self._ends.at_once(connection, State.RESET)\n            return\n",
        "",
        OF_DATAPATH,
    ),
    Mutant(
        "21: whatever its offset",
        CONNECTION,
        "if self.state is State.RESET and end > start:",
        "if self.state is State.RESET and end > stream.next:",
        OF_DATAPATH,
    ),
    Mutant(
        "21: no SYN from the server",
        CONNECTION,
        "return Refusal.SYN_ELSEWHERE if side is Side.SERVER else None",
        "return None",
        OF_DATAPATH,
    ),
    # --- the invariants of section 2 ----------------------------------------------------------------------------
    Mutant(
        "14: undecided is no unseen FIN", STREAM, "(self.fin is None and self.decided == self.next)", "1", OF_STREAM
    ),
    Mutant(
        "§2: who holds most gives way",
        WAITING,
        "self._holders.first().last_waiting()",
        "next(reversed(self._arrivals))",
        OF_BOUNDS,
    ),
    Mutant(
        "§2: a deadline is not late", WAITING, "parcel.arrived + MAX_WAIT", "parcel.arrived + 2 * MAX_WAIT", OF_BOUNDS
    ),
    Mutant(
        "§2: the same octet for every retransmission",
        STREAM,
        "return segment.with_payload(self.edits.read(start, end))",
        "return segment",
        OF_DATAPATH,
    ),
    Mutant(
        "§2: nor for one over a bad line",
        STREAM,
        "return segment.with_payload(self.edits.read(start, end))",
        "return segment",
        OF_BAD_LINE,
    ),
    Mutant(
        "§2: numbers wrap",
        SEQ,
        "return near + (seq - first - near + _HALF) % _MODULUS - _HALF",
        "return seq - first",
        OF_BAD_LINE,
    ),
    Mutant(
        "§2: of a retransmission that merges, what is new",
        READER,
        "segment.packet[segment.end - new : segment.end]",
        "segment.packet[segment.start : segment.end]",
        OF_BAD_LINE,
    ),
    Mutant("§2: nothing beyond a window waits", STREAM, "MAX_WINDOW = 1 << 30", "MAX_WINDOW = 1 << 31", OF_BAD_LINE),
    Mutant(
        "§2: packets that wait go in order",
        STREAM,
        "insort(self.early, parcel, key=_by_start)",
        "self.early.append(parcel)",
        OF_BAD_LINE,
    ),
    Mutant(
        "21: behind an RST is nothing",
        ENDS,
        "stream.fin = stream.next if stream.fin is None else stream.fin",
        "pass",
        OF_DATAPATH,
    ),
    Mutant(
        "14: a reset is behind a FIN its worker did not see",
        "appliance/daemon/errands.py",
        "== to_seq(number, 1) else number",
        "== number else number",
        ("tests/daemon/test_errands.py",),
    ),
    *(
        Mutant(f"resets: {rule}", file, old, new, (test,))
        for rule, file, test, old, new in (
            (
                "they go on behind a server that let go",
                "appliance/daemon/errands.py",
                "tests/daemon/test_errands.py",
                " and not self._closed(worker, key)",
                "",
            ),
            (
                "but of that connection alone",
                "appliance/daemon/errands.py",
                "tests/daemon/test_errands.py",
                "if killed and killed.ends == key else None",
                "if killed else None",
            ),
            (
                "a client hears of the server that it called",
                "appliance/kernel/reset.py",
                "tests/kernel/test_reset.py",
                "        if known:\n            return known.key",
                "        if False:\n            return known.key",
            ),
            (
                "a server hears of the client that it knows",
                "appliance/kernel/reset.py",
                "tests/kernel/test_reset.py",
                "        if known:\n            return self._beyond",
                "        if False:\n            return self._beyond",
            ),
            (
                "so it does where a static is the client's",
                "appliance/kernel/reset.py",
                "tests/kernel/test_reset.py",
                "self._topology.ends(parties).beyond",
                "self._topology.ends(parties).client",
            ),
            (
                "an exemption before a static keeps the address",
                "appliance/config/topology.py",
                "tests/config/test_topology.py",
                " or self._kept.by(client, server, static.line)",
                "",
            ),
            (
                "a server that some may call is called where they are",
                "appliance/config/topology.py",
                "tests/config/test_topology.py",
                "if (key.mapped, key.port) != of.server:",
                "if False:",
            ),
        )
    ),
    Mutant(
        "asp drop: SYNs that were intercepted are not dropped",
        "appliance/show/asp.py",
        "for limit, count in items if not limit.half_open)",
        "for limit, count in items)",
        ("tests/show/test_asp.py",),
    ),
    Mutant(
        "asp drop: only what was met",
        "appliance/show/asp.py",
        "tuple(each for each in counted if each.count)",
        "tuple(counted)",
        ("tests/show/test_asp.py",),
    ),
    Mutant(
        "19: with fail-open a stranger is left alone",
        DATAPATH,
        "if inspection is not None and inspection.fail_open:",
        "if False:",
        OF_FAIL_OPEN,
    ),
    Mutant(
        "19: and only with it",
        DATAPATH,
        "if inspection is not None and inspection.fail_open:",
        "if inspection is not None:",
        OF_FAIL_OPEN,
    ),
    Mutant(
        "19: nobody is made a stranger",
        DATAPATH,
        "if ends and connection.fail_open and connection.state is State.OPEN:",
        "if False:",
        OF_FAIL_OPEN,
    ),
    Mutant(
        "19: but the one before on a tuple ends by itself",
        DATAPATH,
        "self._forget(forgotten, ends=forgotten.key != connection.key)",
        "self._forget(forgotten)",
        OF_FAIL_OPEN,
    ),
    Mutant(
        "19: the client's word counts for nothing",
        READER,
        "elif connection.fail_open and connection.state is _OPEN and side is _SERVER and peer.overtaken(segment.ack):",
        "elif connection.fail_open and peer.overtaken(segment.ack):",
        OF_FAIL_OPEN,
    ),
    Mutant(
        "19: a FIN that stayed in the kernel is no octet",
        STREAM,
        "return to_offset(ack, self.first, self.decided) > self.decided + 1",
        "return to_offset(ack, self.first, self.decided) > self.decided",
        OF_FAIL_OPEN,
    ),
    Mutant(
        "17: what fills a gap goes last",
        READER,
        "self._outcome.give_last(handle)",
        "pass",
        OF_DATAPATH,
    ),
    Mutant(
        "17: what could not be kept does not wait",
        READER,
        "if early and not self._kept.has_room(connection, end - stream.next):",
        "if False:",
        OF_DATAPATH,
    ),
    Mutant(
        "20: each run that grew is told",
        READER,
        "runs_around(reversed(offsets))",
        "runs_around([offsets[-1]])",
        OF_DATAPATH,
    ),
    Mutant("20: what is late is as young", READER, "parcel.segment = stream.rejuvenated(segment)", "pass", OF_DATAPATH),
    Mutant("20: what was promised finds room", READER, ", promised=True", "", OF_DATAPATH),
    Mutant("20: while little is kept in all", KEPT, "promised or self.octets < PLENTY", "True", OF_DATAPATH),
    Mutant(
        "20: who is over and keeps nothing stays",
        KEPT,
        "if not connection.kept:\n            self._lin",
        "if False:\n            self._lin",
        OF_BOUNDS,
    ),
    Mutant("20: few that are over make room at once", READER, "for _ in range(LOOKS):", "while True:", OF_BOUNDS),
    Mutant(
        "8: nothing is held behind STARTTLS",
        SESSION,
        "                break\n            if phase is _BY",
        "                return\n            if phase is _BY",
        OF_SESSION,
    ),
    Mutant(
        "20: an older packet takes nothing back",
        STREAM,
        "if before is not None and offset <",
        "if False and offset <",
        OF_DATAPATH,
    ),
    Mutant("8: unread, it keeps nothing", READER, "if connection.state is _BYPASS:  #", "if False:  #", OF_DATAPATH),
    Mutant("20: first who is quiet", KEPT, "(now - each.last >= QUIET, ", "(", OF_DATAPATH),
    Mutant(
        "20: a dialogue's octets are never given up", KEPT, "len(stream.edits) > FEW", "len(stream.edits)", OF_DATAPATH
    ),
    Mutant(
        "20: what was acknowledged of late counts less",
        KEPT,
        "            self.keeping[connection] = now\n            self._keep_less",
        "            self._keep_less",
        OF_DATAPATH,
    ),
    Mutant("20: it is counted who gave up octets", READER, "self._count[counters.GIVEN_UP] += 1", "pass", OF_DATAPATH),
    Mutant("20: nobody is given what was given up", READER, "stream.misses(start, end)", "False", OF_DATAPATH),
    Mutant("20: what has arrived is not needed", STREAM, "max(start, arrived) < min(", "start < min(", OF_DATAPATH),
    Mutant(
        "17: what comes again is told again",
        READER,
        "if side is _CLIENT and connection.sack and start < end and connection.waiting:",
        "if side is _CLIENT and connection.sack and parcel in stream.early:",
        OF_DATAPATH,
    ),
    Mutant(
        "17: nothing is told of what was acknowledged meanwhile",
        "appliance/daemon/errands.py",
        "if to_offset(run[0], ack, 0) > 0]",
        "]",
        ("tests/daemon/test_errands.py",),
    ),
    Mutant(
        "17: what is evicted is told no more",
        STREAM,
        "self._held.remove(parcel.start, parcel.behind)",
        "pass",
        OF_BAD_LINE,
    ),
    Mutant(
        "§2: released octets are kept until acknowledged",
        STREAM,
        "acknowledge(min(offset, self.decided))",
        "acknowledge(min(offset + 1, self.decided))",
        OF_BAD_LINE,
    ),
    Mutant(
        "§2: NULs below the acknowledged offset",
        EDITS,
        "return bytes(end - start)",
        'return b"?" * (end - start)',
        OF_BAD_LINE,
    ),
    Mutant(
        "§2: a sender hears of what waits, and of nothing else",
        STREAM,
        "to_seq(end, self.first)",
        "to_seq(end + 1, self.first)",
        OF_BAD_LINE,
    ),
    Mutant("§2: straight where nothing waits", STREAM, " and not self.early", "", OF_STRAIGHT),
    Mutant(
        "§2: straight where all is decided",
        STREAM,
        "straight = self.decided == self.next and ",
        "straight = ",
        OF_STRAIGHT,
    ),
    Mutant(
        "§2: straight while it is open",
        CONNECTION,
        "if self.state is _OPEN:\n            self.client.s",
        "if True:\n            self.client.s",
        OF_STRAIGHT,
    ),
    Mutant(
        "14: who uses the tuple again waits for the end of who had it",
        DATAPATH,
        "successor = self._successors.take(found[0])",
        "successor = None",
        OF_DATAPATH,
    ),
    Mutant("§2: one that began since goes on", DATAPATH, " and found[0].began < when", "", OF_DATAPATH),
    Mutant("§2: a mask is before the release", STREAM, "if start < self.decided:", "if False:", OF_DATAPATH),
    # --- facts and actions --------------------------------------------------------------------------------------
    Mutant("Command", INSPECTOR, "counters[_COMMAND] += 1", "pass", OF_COMMANDS),
    Mutant("MessageEnded", INSPECTOR, "counters[_MESSAGE] += 1", "pass", OF_MESSAGE),
    Mutant(
        "Odd",
        INSPECTOR,
        "self._counters[OF_ODDITY[fact.oddity]] += fact.count",
        "self._counters[OF_ODDITY[fact.oddity]] += 1",
        OF_MESSAGE,
    ),
    Mutant("Greeted", INSPECTOR, "counters[_MASK_BANNER] += self._plan.stars is not None", "pass", OF_REPLIES),
    Mutant("Pipe", INSPECTOR, "counters[Slot.MALICIOUS_ADDRESS] += 1", "pass", OF_COMMANDS),
    Mutant("InvalidAddress", INSPECTOR, "counters[Slot.INVALID_ADDRESS] += 1", "pass", OF_COMMANDS),
    Mutant("Breach", INSPECTOR, "self._counters[OF_RULE[fact.rule]] += 1", "pass", (*OF_MESSAGE, *OF_DIALOGUE)),
    Mutant("TlsStarted", INSPECTOR, "Bypass(self._map.allow_tls_log)", "Bypass(False)", OF_DIALOGUE),
    Mutant(
        "Exceeded",
        INSPECTOR,
        "        self._counters[line.slot] += 1\n            self._react(side, line",
        "        self._react(side, line",
        OF_MESSAGE,
    ),
    Mutant("EhloParameter", INSPECTOR, "self._counters[line.slot] += fact.whole", "pass", OF_REPLIES),
    Mutant(
        "negated words",
        PLAN,
        "(word in self.match.words) is not self.match.negated",
        "word in self.match.words",
        OF_REPLIES,
    ),
    Mutant("Hold", INSPECTOR, "actions.append(Hold(Side.SERVER, undecided))", "pass", OF_REPLIES),
    Mutant(
        "DropConnection", INSPECTOR, "actions.append(DropConnection(side, cause, reaction.log))", "pass", OF_COMMANDS
    ),
    Mutant(
        "ResetConnection", INSPECTOR, "actions.append(ResetConnection(side, cause, reaction.log))", "pass", OF_COMMANDS
    ),
    Mutant(
        "Log",
        INSPECTOR,
        "            case Deed.LOG:\n                actions.append(Log(side, cause))",
        "            case Deed.LOG:\n                pass",
        OF_MESSAGE,
    ),
    Mutant("MaliciousAddress", INSPECTOR, "actions.append(MaliciousAddress(side, address))", "pass", OF_COMMANDS),
    # --- facts of messages --------------------------------------------------------------------------------------
    Mutant("BODY_LINE", METERS, "self._column > (limit := self", "self._column >= (limit := self", OF_CRITERIA),
    Mutant("a CR too many", METERS, "base + at + (octets[at] == _CR)", "base + at", OF_CUTS),
    Mutant("dot-stuffing of a line", METERS, "self._column = -1", "self._column = 0", OF_MESSAGE),
    Mutant("BODY, HEADER", METERS, "self.octets > (limit := self", "self.octets >= (limit := self", OF_CRITERIA),
    Mutant(
        "dot-stuffing of a size",
        METERS,
        "self.octets -= text.count(STUFFED, start - 2, stop)",
        "pass",
        ("tests/esmtp/test_message.py", *OF_CRITERIA),
    ),
    Mutant(
        "the header section ends once",
        MESSAGE,
        "            self._in_header = False\n",
        "",
        (*OF_MESSAGE, *OF_CRITERIA),
    ),
    Mutant(
        "SizeViolation", MESSAGE, "if 0 < self._declared < actual:", "if 0 < self._declared <= actual:", OF_CRITERIA
    ),
    Mutant(
        "MIME_FILENAME",
        MIME,
        "in self._limits if section.longest > limit]",
        "in self._limits if section.longest >= limit]",
        OF_CRITERIA,
    ),
    Mutant(
        "TO_FIELDS",
        MIME,
        "for limit in self._to if count > limit)",
        "for limit in self._to if count >= limit)",
        OF_CRITERIA,
    ),
    Mutant("TO_FIELDS of the message alone", MIME, "self._to = ()\n", "pass\n", OF_MIME),
    Mutant(
        "MimeEncoding", MIME, "facts += [MimeEncoding(word, offset) for word in section.encodings]", "pass", OF_MIME
    ),
    Mutant(
        "MimeFile",
        MIME,
        "facts += [MimeFile(name, content_type, offset)",
        "facts = [MimeFile(name, content_type, offset)",
        OF_MIME,
    ),
    Mutant("message/rfc822", MIME, '_MESSAGE = "message/"', '_MESSAGE = "message/g"', OF_MIME),
    Mutant("MIME: a digest", MIME, "if media else self._digest", "if media else False", OF_MIME),
    Mutant("MIME: boundaries of a message", MIME, "BOUNDARIES = 16", "BOUNDARIES = 1", OF_MIME),
    Mutant("MIME: parts of a message", MIME, "if self._parts > PARTS:", "if self._parts >= PARTS:", OF_MIME),
    Mutant(
        "MIME: beyond its boundaries a message is read flat",
        MIME,
        "self._fields, self._state = Fields(fresh=True), State.FLAT",
        "self._state = State.OPAQUE",
        OF_MIME,
    ),
    Mutant(
        "MIME: beyond its parts a message is read flat",
        MIME,
        "            self._state = State.FLAT\n",
        "            self._state = State.OPAQUE\n",
        OF_MIME,
    ),
    Mutant("MIME: exactly the last delimiter", MIME, 'rb"--[ \\t]{0,8}[\\r\\n]"', 'rb"--[ \\t]{0,8}"', OF_MIME),
    Mutant("MIME: the last delimiter", MIME, "if last := _CLOSES.match(line, len(each)):", "if last := None:", OF_MIME),
    Mutant("MIME: no boundary stated", MIME, "((_UNSTATED,) if multipart else ())", "()", OF_MIME),
    Mutant(
        "MIME: every boundary",
        MIME,
        "for boundary in each.boundaries or",
        "for boundary in each.boundaries[:1] or",
        OF_MIME,
    ),
    Mutant("MIME: a bare CR begins a line", MIME, 'self._text.replace(b"\\r", b"\\n")', "self._text", OF_MIME),
    Mutant("MIME: a stuffed delimiter", MIME, 'b"\\n.--" in self._text', "False", OF_MIME),
    Mutant("fields: every type", FIELDS, 'found += [(b"", each.word)', 'found = found or [(b"", each.word)', OF_MIME),
    Mutant(
        "fields: a bare CR",
        FIELDS,
        "for line in _BARE_CR.split(text):\n                self._field(line)",
        "pass",
        OF_MIME,
    ),
    Mutant(
        "fields: a stuffed dot",
        FIELDS,
        '.replace(b"\\n.", b"\\n")\n        self._field',
        "\n        self._field",
        OF_MIME,
    ),
    Mutant("fields: too short for a long name", MIME, "limits[0] // EXPANDS + 1", "limits[0] + 1", OF_MIME),
    Mutant(
        "fields: names of a disposition", FIELDS, "self.names.extend(self._parameters(value).names)", "pass", OF_MIME
    ),
    Mutant("RFC 2231", PARAMETERS, "sorted(pieces, key=lambda piece: piece.number or 0)", "pieces", OF_MIME),
    Mutant("RFC 2231: pieces twice", PARAMETERS, "ways += [list(last.values()), ordered]", "pass", OF_MIME),
    Mutant(
        "RFC 2231: a gap",
        PARAMETERS,
        "ways += [list(first.values())[:run], list(last.values())[:run]]",
        "pass",
        OF_MIME,
    ),
    Mutant(
        "RFC 2231's percent signs", PARAMETERS, "binascii.unhexlify(match[1]), value) if", 'b"?", value) if', OF_MIME
    ),
    Mutant("RFC 2047", PARAMETERS, "spelt += _word(match[2], match[3], padded)", "spelt += match[0]", OF_MIME),
    Mutant(
        "RFC 2047: padding in the middle",
        PARAMETERS,
        "        yield words(value, True, joined)\n",
        "",
        OF_MIME,
    ),
    Mutant("RFC 2047: cut in a character", PARAMETERS, "or not joined:", "or True:", OF_MIME),
    Mutant("RFC 2047: neighbours of two charsets", PARAMETERS, "or named != charset or", "or", OF_MIME),
    Mutant(
        "RFC 2047: words one by one", PARAMETERS, "for joined in (True, False) if", "for joined in (True,) if", OF_MIME
    ),
    Mutant(
        "length: pieces are one name",
        PARAMETERS,
        "if piece.number is None]\n    if len(ways)",
        "]\n    if len(ways)",
        OF_MIME,
    ),
    Mutant(
        "length: quotes never closed",
        PARAMETERS,
        "found.append(text[at + 1 : ends[0]].strip(_BLANKS))",
        "pass",
        OF_MIME,
    ),
    Mutant("MIME: a structure in an encoding", MIME, "if structured and self._section.encoded:", "if False:", OF_MIME),
    Mutant("MIME: a NUL", MIME, 'self._nul = self._nul or b"\\0" in octets', "pass", OF_MIME),
    Mutant("MIME: a NUL on the quick way", MIME, 'if b"\\0" in header:', "if False:", OF_MIME),
    Mutant("comments", PARAMETERS, 'if b"(" in value:\n        bare', "if False:\n        bare", OF_MIME),
    Mutant(
        "comments are part of it to some",
        PARAMETERS,
        "    _read(value, ours, patience, found)\n",
        '    _read(uncommented(value) or b"", ours, patience, found)\n',
        OF_MIME,
    ),
    Mutant("parameters: where a value may end", PARAMETERS, "_ENDS = 4", "_ENDS = 0", OF_MIME),
    Mutant("parameters: backslashes", PARAMETERS, "quoted[1], text[at + 1 :]", "text[at + 1 :]", OF_MIME),
    Mutant("parameters: a NUL", PARAMETERS, 'yield text.partition(b"\\0")[0]', "pass", OF_MIME),
    # --- facts of addresses -------------------------------------------------------------------------------------
    Mutant(
        "Special",
        GRAMMAR,
        "facts.append(Special(octet, bytes(self._shown).strip(), at))",
        "pass",
        (*OF_CRITERIA, *OF_SPELLINGS),
    ),
    Mutant(
        "Sender",
        LINES,
        "facts.append(Sender(path.octets, mailbox(path.octets), path.whole, end))",
        "pass",
        (*OF_CRITERIA, *OF_SPELLINGS),
    ),
    Mutant(
        "Recipient",
        LINES,
        "facts.append(Recipient(path.octets, hosts(path), end))",
        "pass",
        (*OF_CRITERIA, *OF_SPELLINGS),
    ),
    Mutant(
        "hosts: of a route", GRAMMAR, 'split(b",")] if route else []', 'split(b",")][:0] if route else []', OF_GRAMMAR
    ),
    Mutant("hosts: percent and bang", GRAMMAR, 'rb"([@%!])"', 'rb"([@])"', OF_GRAMMAR),
    Mutant("hosts: a name alone", GRAMMAR, 'for at in leads_on] or [b""]', "for at in leads_on]", OF_GRAMMAR),
    Mutant("hosts: a path cut short", GRAMMAR, 'if path.whole else (*found, b"")', "", OF_GRAMMAR),
    Mutant("mailbox: the route", GRAMMAR, "text = path[route.end() :] if route else path", "text = path", OF_GRAMMAR),
    Mutant("mailbox: comments", GRAMMAR, "depth += 1 if octet == _OPEN else -1", "pass", OF_GRAMMAR),
    Mutant("mailbox: quoting", GRAMMAR, "quoted = not quoted", "kept.append(octet)", OF_GRAMMAR),
    Mutant("an address without a colon", GRAMMAR, "if not _LED.match(text):", "if False:", OF_SPELLINGS),
    Mutant("its length", GRAMMAR, "for limit in self._limits if len(path) > limit]", "for limit in ()]", OF_CRITERIA),
    Mutant("a pipe without a colon", GRAMMAR, "return self._place is Place.GAP or not (", "return not (", OF_SPELLINGS),
    Mutant("a path without brackets", GRAMMAR, "+ _without_parameters(", '+ b""[:0] * len(', OF_SPELLINGS),
    Mutant("SIZE= is read so far", LINES, "declared(parameters[:READ])", "declared(parameters)", OF_CUTS),
    Mutant("SIZE=", GRAMMAR, "return int(found[1]) if found else 0", "return 0", OF_CRITERIA),
    # --- facts of transactions ----------------------------------------------------------------------------------
    Mutant("INVALID_RECIPIENTS", REPLIES, "dialogue.refused - 1 in", "dialogue.refused in", OF_CRITERIA),
    Mutant(
        "refused ones are of one transaction",
        STATES,
        "self.refused, self.declared = 0, declared",
        "self.declared = declared",
        OF_SESSION,
    ),
    Mutant("Kept", SESSION, "if count <= limit)", "if count < limit)", OF_CRITERIA),
    Mutant(
        "Kept of a command",
        LINES,
        "in self._settings.kept_commands if length <= limit",
        "in self._settings.kept_commands if length < limit",
        OF_CRITERIA,
    ),
    # --- actions ------------------------------------------------------------------------------------------------
    Mutant(
        "mask a verb",
        PLAN,
        "return any(line.match.reaction.deed is Deed.MASK for line in lines)",
        "return False",
        OF_CRITERIA,
    ),
    Mutant("not of a regex", PLAN, "for each in texts) is not self.match.negated", "for each in texts)", OF_CRITERIA),
    Mutant("not of a limit", PLAN, "        if line.match.negated:\n", "        if False:\n", OF_CRITERIA),
    Mutant(
        "not of a message's limit", INSPECTOR, "if (quantity, each.match.limit) not in self._over]", "]", OF_CRITERIA
    ),
    Mutant(
        "Defer",
        INSPECTOR,
        "actions.append(Defer(Side.CLIENT, offset, until))",
        "pass",
        (*OF_CRITERIA, "tests/datapath/test_rates.py"),
    ),
    Mutant("rate-limit", RATES, "self._due += self._interval", "pass", ("tests/policy/test_rates.py",)),
    Mutant(
        "rate-limit's burst",
        RATES,
        "self._interval * (rate - 1)",
        "self._interval * rate",
        ("tests/policy/test_rates.py",),
    ),
    Mutant(
        "a deferred packet is dropped",
        READER,
        "self._outcome.drop(parcel.handle, counters.DEFERRED)",
        "self._outcome.go(parcel.handle, segment)",
        ("tests/datapath/test_rates.py",),
    ),
    Mutant("Oversize", INSPECTOR, "actions.append(Oversize(side, declared, actual))", "pass", OF_CRITERIA),
    Mutant("mail-relay", INSPECTOR, "any(domain(each) != self._plan.relay", "any(False", OF_CRITERIA),
    Mutant(
        "mail-relay: every host",
        INSPECTOR,
        "any(domain(each) != self._plan.relay",
        "all(domain(each) != self._plan.relay",
        OF_CRITERIA,
    ),
    Mutant("a sender as a server keeps it", PLAN, "(sender.address, sender.mailbox)", "(sender.address,)", OF_CRITERIA),
    Mutant("a sender cut short", PLAN, "return not sender.whole or any(", "return any(", OF_CRITERIA),
    Mutant(
        "special-character",
        INSPECTOR,
        "self._react(side, self._map.special_character, _SPECIAL, actions)",
        "pass",
        OF_CRITERIA,
    ),
    Mutant(
        "file types",
        PLAN,
        'fact.filename.rstrip(b" .").rpartition(b".")',
        'fact.filename.rpartition(b".")',
        OF_CRITERIA,
    ),
    Mutant("what a regex looks at", REGEX, "TEXT = READ", "TEXT = READ - 1", ("tests/policy/test_regex.py",)),
    # what is shown, ended and logged of connections
    Mutant(
        "show conn: each address is one end's",
        CONNECTIONS,
        "and all(each.holds(every) for each in self.addresses)",
        "and (not self.addresses or any(each.holds(every) for each in self.addresses))",
        OF_SHOW,
    ),
    Mutant(
        "show conn: DEAD only where asked for",
        CONNECTIONS,
        "return Progress.DEAD in self.states",
        "return True",
        OF_SHOW,
    ),
    Mutant(
        "show conn: WAITING is no connection",
        CONNECTIONS,
        "frozenset({State.CLOSED, State.WAITING})",
        "frozenset({State.CLOSED})",
        OF_SHOW,
    ),
    Mutant("show conn: M", CONNECTIONS, "(connection.inspected and not connection.bypass)", "True", OF_SHOW),
    Mutant(
        "show conn: r and R",
        CONNECTIONS,
        '("r", outside.peer in connection.acknowledged)',
        '("r", outside in connection.acknowledged)',
        OF_SHOW,
    ),
    Mutant(
        "clear xlate: what is translated alone",
        TRANSLATIONS,
        "if (real.address, real.port) != (mapped.address, mapped.port)",
        "if True",
        OF_SHOW,
    ),
    Mutant(
        "clear xlate: a client is translated behind its server's interface",
        TRANSLATIONS,
        "((ends.client, ends.beyond), (ends.server, ends.server_mapped))",
        "((ends.client, ends.client_mapped), (ends.server, ends.server_mapped))",
        OF_SHOW,
    ),
    Mutant(
        "106100: of denied flows beyond what is kept nothing is told",
        "appliance/daemon/flows.py",
        "            self._full = True\n            return None\n",
        "            self._full = True\n",
        ("tests/daemon/test_flows.py",),
    ),
    Mutant(
        "show local-host: places without connections",
        LOCAL_HOSTS,
        "for place, use in uses.items() if use.connections",
        "for place, use in uses.items() if False",
        OF_SHOW,
    ),
    Mutant(
        "show access-list: an element may be several rules",
        HITS,
        "tags[rule[3]] = tags.get(rule[3], 0) + int(rule[1])",
        "tags[rule[3]] = int(rule[1])",
        ("tests/iptables/test_hits.py",),
    ),
    Mutant(
        "show nat: what was intercepted is untranslated too",
        HITS,
        "        here += sum(islice(own, len(list(output(scene, rule)))))\n",
        "",
        ("tests/iptables/test_hits.py",),
    ),
    Mutant(
        "the access list is asked before SYNPROXY answers for a host by its own address",
        RULES,
        '["-j", "FIXUP_ACCESS"], ["-g", "FIXUP_PROXY"]]',
        '["-g", "FIXUP_PROXY"]]',
        ("tests/iptables/test_rules.py",),
    ),
    Mutant(
        "and not for a name that is a static's elsewhere",
        RULES,
        "[*_named_elsewhere(scene), [",
        "[[",
        ("tests/iptables/test_rules.py",),
    ),
    Mutant(
        "SYNPROXY sees no ACK that brings nothing back",
        RULES,
        "RETURNED[1]: [*returned, STRAY]",
        "RETURNED[1]: [*returned, INTERCEPTED]",
        ("tests/iptables/test_rules.py",),
    ),
    Mutant(
        "SYNPROXY's answer is its own, whosever address it has",
        "appliance/iptables/raw.py",
        "*_ANSWER, *_FOREIGN, *_UNTRACKED] for way in called",
        "*_ANSWER, *_UNTRACKED] for way in called",
        ("tests/iptables/test_rules.py",),
    ),
    Mutant(
        "a class intercepts towards the more secure side alone",
        "appliance/config/limits.py",
        "if levels[one] < level)",
        "if one != other)",
        ("tests/config/test_limits.py",),
    ),
    Mutant(
        "nothing is intercepted where a client's address is chosen",
        "appliance/config/limits.py",
        "plain = levels.keys() - _choosing(config)",
        "plain = levels.keys()",
        ("tests/config/test_limits.py",),
    ),
    Mutant(
        "nor by lists that speak of mapped addresses",
        "appliance/config/limits.py",
        "    if as_called or not any(",
        "    if not any(",
        ("tests/config/test_limits.py",),
    ),
    Mutant(
        "106015 before 106023",
        RULES,
        "chain: [no_syn, *said[chain]]",
        "chain: said[chain]",
        ("tests/iptables/test_rules.py",),
    ),
    Mutant(
        "no copy where no log takes it",
        RULES,
        "if config.logging.takes(kind.id, kind.severity):",
        "if True:",
        ("tests/iptables/test_rules.py",),
    ),
    Mutant(
        "policy NAT asks for the other end's ports",
        "appliance/iptables/nat.py",
        "return words if far.ports is None else",
        "return words if far.ports is not None else words or",
        OF_LANGUAGE,
    ),
    Mutant(
        "106023 names the real address",
        DENIALS,
        "self._denied(protocol, sender, self._known(protocol, sender, receiver), copy.mark)",
        "self._denied(protocol, sender, receiver, copy.mark)",
        ("tests/daemon/test_denials.py",),
    ),
    Mutant(
        "609001 once a host",
        RECORDS,
        "if self.hosts.enter(end, event.time):",
        "if self.hosts.enter(end, event.time) or True:",
        ("tests/daemon/test_records.py",),
    ),
    Mutant(
        "733105: strictly more than the threshold",
        ATTACKS,
        "if burst > self._burst:",
        "if burst >= self._burst:",
        ("tests/nat/test_attacks.py",),
    ),
    Mutant(
        "a number that is used again has its own name",
        "appliance/kernel/bpf_limits.py",
        "if self.ends.get(number) != static.ends:",
        "if number not in self.ends:",
        ("tests/bpf/test_statics.py",),
    ),
    Mutant(
        "what a client called decides whose its connection is",
        "appliance/kernel/bpf_limits.py",
        "(self._called.get(called) or self._called.get((called[0], 0)) or {number})",
        "{number}",
        ("tests/bpf/test_statics.py",),
    ),
    Mutant(
        "nobody is charged by the face of a static that is gone",
        "appliance/kernel/bpf_limits.py",
        " and not old.peer",
        "",
        ("tests/bpf/test_statics.py",),
    ),
    Mutant(
        "what was counted before is no attack",
        ATTACKS,
        "self._counted.setdefault(name, count)",
        "self._counted.setdefault(name, 0)",
        ("tests/nat/test_attacks.py",),
    ),
    Mutant(
        "22: a living connection's generation is kept",
        DATAPATH,
        "number = DECISION.get(mark)",
        "number = DECISION.get(mark) % 1024",
        ("tests/datapath/test_configure.py",),
    ),
    Mutant(
        "22: no number that a connection carries",
        GENERATIONS,
        "if generation not in self._living and not self._carried(generation):",
        "if generation not in self._living:",
        OF_RELOAD,
    ),
    Mutant(
        "22: an old generation ends with its last connection",
        GENERATIONS,
        "if generation != current and not self._carried(generation):",
        "if generation != current:",
        OF_RELOAD,
    ),
    Mutant(
        "22: what is left as it was counts on",
        GENERATIONS,
        "return inspection.interface, inspection.policy, inspection.class_map.name, inspection.inspect_map",
        "return inspection.interface, inspection.policy, str(inspection.number), inspection.inspect_map",
        OF_RELOAD,
    ),
    Mutant(
        "22: a block given again is empty", GENERATIONS, "            page.clear(block)", "            pass", OF_RELOAD
    ),
    Mutant(
        "22: a bad line changes nothing",
        CONFIGURATION,
        "if any(each.severity is Severity.ERROR for each in findings):",
        "if False:",
        OF_RELOAD,
    ),
    Mutant("the old file stays beside", STARTUP, "        old.hardlink_to(path)\n", "", OF_RELOAD),
    Mutant("a named interface has a device", STARTUP, "or each.hardware in devices:", "or True:", OF_RELOAD),
    Mutant("every worker is waited for", CREW, "if not policy.answered(descriptor):", "if not descriptor:", OF_RELOAD),
    Mutant(
        "a script is done whole or not at all",
        CONSOLE,
        "if self._strict and self._refused:",
        "if not self._strict and self._refused:",
        OF_CONSOLE,
    ),
    Mutant(
        "a script ends where it was refused", CONSOLE, "self.done |= self._strict", "self.done |= False", OF_CONSOLE
    ),
    Mutant(
        "the caret stands under the word",
        CONSOLE,
        "self._width + column - 1)",
        "self._width + column)",
        OF_CONSOLE,
    ),
    Mutant(
        "one thing of a section is cleared",
        EDITOR,
        'getattr(each, "name", None) != name',
        'getattr(each, "name", None) == name',
        ("tests/config/test_editor.py",),
    ),
    Mutant(
        "a comment before a remark is of the entry behind",
        COMMENTS,
        "elif said and not _is_remark(statement):",
        "elif said:",
        ("tests/config/test_comments.py",),
    ),
    Mutant(
        "goto does not come back",
        WALK,
        "                    places.pop()\n                places",
        "                    pass\n                places",
        OF_TRACE,
    ),
    Mutant(
        "a list's first match decides",
        WALK,
        "if not _fits(conditions, packet):",
        "if _fits(conditions, packet) is None:",
        OF_TRACE,
    ),
    Mutant(
        "the firewall's own address is nobody's source",
        ROUTING,
        "return source in _own(scene) or",
        "return",
        OF_TRACE,
    ),
    Mutant(
        "a range has its ends",
        "appliance/policy/acl.py",
        "return self.low <= port <= self.high",
        "return self.low < port <= self.high",
        ("tests/iptables/test_translations.py",),
    ),
    Mutant(
        "of a server one static is intercepted",
        "appliance/nat/static.py",
        "any(map(each.shares, others))",
        "False",
        ("tests/nat/test_static.py",),
    ),
    Mutant(
        "no host is intercepted for clients that have PAT",
        "appliance/config/statics.py",
        "unproxied = chosen.calling(real, real_interface, mapped_interface)",
        "unproxied = False",
        ("tests/config/test_limits.py",),
    ),
    Mutant(
        "no port is intercepted for clients that have PAT",
        "appliance/config/statics.py",
        "known in own or chosen.calling(real, *interfaces)",
        "known in own",
        ("tests/config/test_limits.py",),
    ),
    Mutant(
        "policy NAT is of those whom it is for",
        "appliance/config/translations.py",
        "far.real if far else ANY",
        "ANY",
        ("tests/config/test_limits.py",),
    ),
    Mutant(
        "two embryonic limits of one server are refused",
        "appliance/config/verify_translations.py",
        "next(filter(each.shares, others), None)",
        "None",
        ("tests/config/test_golden.py",),
    ),
    Mutant(
        "a host is reached by each of its names",
        RULES,
        '["-m", "conntrack", "!", "--ctstate", "DNAT", "!", "--ctorigdst", str(known)]',
        '["-m", "conntrack", "!", "--ctorigdst", str(known)]',
        OF_TRACE,
    ),
    Mutant(
        "the longest network is the way",
        ROUTING,
        "found.append((-route.network.prefixlen, route.metric,",
        "found.append((-33, route.metric,",
        OF_TRACE,
    ),
    Mutant(
        "language: an inactive entry is none",
        "appliance/config/elements.py",
        "if ace.inactive or ",
        "if ",
        OF_LANGUAGE,
    ),
    Mutant(
        "language: an entry with a time fails closed",
        "appliance/config/elements.py",
        "(ace.time_range and ace.permit)",
        "(ace.time_range and not ace.permit)",
        OF_LANGUAGE,
    ),
    Mutant(
        "language: no inspect esmtp takes away first",
        "appliance/config/statements/policies.py",
        "inspect=None if isinstance(known, InspectEsmtp) else ExemptEsmtp()",
        "inspect=ExemptEsmtp()",
        OF_LANGUAGE,
    ),
    Mutant(
        "language: up to 8.2 lists know mapped addresses",
        "appliance/iptables/match.py",
        "self.mapped = scene.config.defaults.addresses is Addresses.MAPPED and bool(scene.translations)",
        "self.mapped = False",
        OF_LANGUAGE,
    ),
    Mutant(
        "language: a mapped port is the real one",
        "appliance/config/real_ends.py",
        "element.destination_ports.holds(ports.mapped)",
        "element.destination_ports.holds(ports.real)",
        OF_LANGUAGE,
    ),
    Mutant(
        "language: nobody else's packets are translated",
        "appliance/iptables/nat.py",
        'return [["-i", each] for each in scene.among(rule.real_interface) if each != way]',
        "return [[]]",
        OF_LANGUAGE,
    ),
    Mutant(
        "a group of ports is of what every group in it is of",
        "appliance/config/verify.py",
        "            ahead.extend(_held(group))\n",
        "",
        ("tests/config/test_editor.py",),
    ),
    Mutant(
        "a group of ports is of a protocol though it is empty",
        "appliance/config/verify.py",
        "elements.services(plain)",
        "elements.services(ace)",
        ("tests/config/test_editor.py",),
    ),
    Mutant(
        "language: a group in a circle is refused",
        "appliance/config/verify.py",
        "            elif inner in path:",
        "            elif inner in path and len(path) < 0:",
        ("tests/config/test_hostile.py",),
    ),
)
