"""What the client gets: the greeting and the reply to EHLO, in every way of cutting the stream (rows 1, 2)."""

import json
from pathlib import Path

import pytest

from appliance.flow import Side
from appliance.policy.actions import Hold
from appliance.policy.counters import MATCHES_BASE, Slot
from appliance.policy.maps import Banner, Deed, InspectMap, Match, Parameters, Reaction
from tests.playbook import (
    GREETED,
    Wire,
    accepted,
    client,
    everyhow,
    play,
    server,
    whole,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "vectors.json").read_text())


class TestVectors:
    @pytest.mark.parametrize("case", VECTORS["ehlo_reply"], ids=lambda case: case["source"][:20])
    def test_ehlo_replies(self, case):
        original = b"".join(line.encode() + b"\r\n" for line, _ in case["reply"])
        masked = b"".join(line.encode() + b"\r\n" for _, line in case["reply"])
        assert (
            everyhow(*GREETED, client(b"EHLO a\r\n"), server(original)).server == b"220 " + b"*" * 8 + b"\r\n" + masked
        )

    @pytest.mark.parametrize("case", VECTORS["banner_keeping_2_and_0"], ids=lambda case: case["source"][:20])
    def test_banners_that_keep_2_and_0(self, case):
        original = case.get("original") or "220 " + case["original_tail"]
        masked = case.get("masked") or "220 " + case["masked_tail"]
        assert everyhow(server(original.encode() + b"\r\n")).server == masked.encode() + b"\r\n"

    @pytest.mark.parametrize("case", VECTORS["banner_all"], ids=lambda case: case["source"][:20])
    def test_banners_of_stars(self, case):
        all_of_it = InspectMap("m", Parameters(banner=Banner.ALL))
        outcome = everyhow(server(case["original"].encode() + b"\r\n"), inspect_map=all_of_it)
        assert outcome.server == case["masked"].encode() + b"\r\n"

    @pytest.mark.parametrize("case", VECTORS["command"], ids=lambda case: case["source"][:20])
    def test_commands(self, case):
        segments = case.get("segments") or [case["original"]]
        masked = "".join(case["masked"])
        cut = [(Side.CLIENT, each.encode()) for each in segments]
        assert play([*cut, (Side.CLIENT, b"\r\n")]).client == masked.encode() + b"\r\n"


class TestBanner:
    def test_several_lines_and_the_carriage_return_that_ends_none(self):
        outcome = everyhow(server(b"220-a\rb 2\r\r\n220-\n220 x0\n"))
        assert outcome.server == b"220-***\x2a2*\r\n220-\n220 *0\n"
        assert outcome.count(Slot.MASK_BANNER) == 1

    @pytest.mark.parametrize("greeting", [b"554 no\r\n", b"421 later\r\n"])
    def test_a_refusal_passes(self, greeting):
        outcome = everyhow(server(greeting), *accepted(b"NOOP\r\n"))
        assert outcome.server == greeting + b"250 ok\r\n"
        assert outcome.count(Slot.MASK_BANNER) == 0

    def test_off(self):
        off = InspectMap("m", Parameters(banner=Banner.OFF))
        assert everyhow(server(b"220 mx\r\n"), inspect_map=off).server == b"220 mx\r\n"

    def test_only_the_greeting(self):
        assert everyhow(*GREETED, *accepted(b"NOOP\r\n")).server.endswith(b"250 ok\r\n")


def ehlo(*lines, end=b"\r\n"):
    """The session's beginning with this reply to EHLO."""
    return (*GREETED, client(b"EHLO a\r\n"), server(b"".join(line + end for line in lines)))


class TestEhloReply:
    @pytest.mark.parametrize(
        ("line", "got"),
        [
            (b"250-size 1", b"250-size 1"),
            (b"250-SIZE ", b"250-SIZE "),
            (b"250-", b"250-"),
            (b"250- ", b"250-A"),
            (b"250- SIZE", b"250-XXXXA"),
            (b"250-SIZE\t1", b"250-XXXXXA"),
            (b"250-SIZE\r", b"250-XXXXA"),
            (b"250-A\rB", b"250-XXA"),
            (b"250-SIZE 1\r250-STARTTLS", b"250-" + b"X" * 18 + b"A"),  # a client may end the line at the CR
            (b"250-8BITMIMEX", b"250-XXXXXXXXA"),
            (b"250-Z", b"250-A"),
        ],
    )
    def test_a_line(self, line, got):
        expected = b"220 ********\r\n250-mx\r\n" + got + b"\r\n250 DSN\r\n"
        assert everyhow(*ehlo(b"250-mx", line, b"250 DSN")).server == expected
        if not line.endswith(b"\r"):
            assert everyhow(*ehlo(b"250-mx", line, b"250 DSN", end=b"\n")).server.endswith(got + b"\n250 DSN\n")

    def test_the_letters_count_the_lines_of_the_reply_and_begin_again(self):
        lines = [b"250-X" + b"%02d" % number for number in range(27)]
        outcome = play(
            [
                (each.side, each.octets)
                for each in (*ehlo(b"250-mx", *lines, b"250 DSN"), *ehlo(b"250-mx", b"250 ZZZ")[1:])
            ]
        )
        masked = outcome.server.split(b"\r\n")[2:29]
        assert masked == [b"250-XX" + bytes([letter]) for letter in b"ABCDEFGHIJKLMNOPQRSTUVWXYZA"]
        assert outcome.server.endswith(b"250 XXA\r\n")
        assert outcome.matched(7) == 28

    @pytest.mark.parametrize("code", [b"200", b"251", b"299"])
    def test_any_reply_that_says_yes(self, code):
        """Clients look at the first digit alone."""
        lines = (code + b"-mx", code + b"-SIZE", code + b" STARTTLS")
        assert everyhow(*ehlo(*lines)).server.endswith(code + b"-SIZE\r\n" + code + b" XXXXXXXA\r\n")
        for line in (b"250-SIZE", b"250 SIZE"):
            mixed = everyhow(*ehlo(code + b"-mx", line))
            assert mixed.ended == f"DropConnection: server-transition: 250 inside a {code.decode()} reply"

    def test_another_code_in_the_midst_of_a_whole_reply(self):
        mixed = everyhow(*ehlo(b"250-mx", b"251-SIZE", b"250 DSN"))
        assert mixed.ended == "DropConnection: server-transition: 251 inside a 250 reply"

    @pytest.mark.parametrize("allow_tls", [False, True])
    def test_what_is_behind_a_bare_cr_never_passes(self, allow_tls):
        lenient = InspectMap("m", Parameters(allow_tls=allow_tls))
        first = everyhow(*ehlo(b"250-mx\r250-STARTTLS", b"250-STARTTLS\r250-CHUNKING", b"250 DSN"), inspect_map=lenient)
        assert first.server.endswith(b"250-mx\r" + b"X" * 12 + b"\r\n250-" + b"X" * 20 + b"A\r\n250 DSN\r\n")

    def test_only_a_2xx_to_ehlo(self):
        refused = (*GREETED, client(b"EHLO a\r\n"), server(b"502-mx\r\n502 STARTTLS\r\n"))
        assert everyhow(*refused).server.endswith(b"502 STARTTLS\r\n")
        helo = (*GREETED, client(b"HELO a\r\n"), server(b"250-mx\r\n250 STARTTLS\r\n"))
        assert everyhow(*helo).server.endswith(b"250 STARTTLS\r\n")

    def test_a_map_that_masks_a_keyword_it_names(self):
        masks = InspectMap("m", matches=(Match("ehlo-reply-parameter", Reaction(Deed.MASK), words=("size", "dsn")),))
        outcome = everyhow(*ehlo(b"250-mx", b"250-SIZE 1", b"250-HELP", b"250 DSN"), inspect_map=masks)
        assert outcome.server.endswith(b"250-XXXXXA\r\n250-HELP\r\n250 XXB\r\n")

    def test_a_map_that_masks_all_but_what_it_names(self):
        masks = InspectMap(
            "m", matches=(Match("ehlo-reply-parameter", Reaction(Deed.MASK), words=("size",), negated=True),)
        )
        outcome = everyhow(*ehlo(b"250-mx", b"250-SIZE 1", b"250-HELP", b"250 DSN"), inspect_map=masks)
        assert outcome.server.endswith(b"250-SIZE 1\r\n250-XXXA\r\n250 XXB\r\n")

    def test_starttls_is_masked_even_where_no_line_masks(self):
        outcome = everyhow(*ehlo(b"250-mx", b"250-STARTTLS", b"250 HELP"), inspect_map=InspectMap("m"))
        assert outcome.server.endswith(b"250-XXXXXXXA\r\n250 HELP\r\n")

    def test_it_may_close_the_connection(self):
        closes = InspectMap("m", matches=(Match("ehlo-reply-parameter", Reaction(Deed.RESET), words=("auth",)),))
        outcome = everyhow(*ehlo(b"250-mx", b"250 AUTH LOGIN"), inspect_map=closes)
        assert outcome.ended == "ResetConnection: matched Class 1: ehlo-reply-parameter auth"

    @pytest.mark.parametrize(("octets", "passes"), [(1023, True), (1024, True), (1025, False)])
    def test_the_octets_of_a_line(self, octets, passes):
        line = b"250-SIZE " + b"1" * (octets - 11)
        outcome = everyhow(*ehlo(b"250-mx", line, b"250 DSN"))
        assert outcome.ended == ("" if passes else "DropConnection: ehlo-reply: more than can be held")

    @pytest.mark.parametrize(("octets", "passes"), [(1023, True), (1024, True), (1025, False)])
    def test_the_octets_of_the_first_line(self, octets, passes):
        outcome = everyhow(*ehlo(b"250-" + b"m" * (octets - 6), b"250 DSN"))
        assert outcome.ended == ("" if passes else "DropConnection: ehlo-reply: more than can be held")

    @pytest.mark.parametrize(("lines", "passes"), [(99, True), (100, True), (101, False)])
    def test_the_lines_of_a_reply(self, lines, passes):
        script = ehlo(*[b"250-DSN"] * (lines - 1), b"250 DSN")
        outcome = play(whole(*script))
        assert outcome.ended == ("" if passes else "DropConnection: ehlo-reply: more than can be held")

    @pytest.mark.parametrize(("more", "passes"), [(-1, True), (0, True), (1, False)])
    def test_the_octets_of_a_reply(self, more, passes):
        line = b"250-SIZE " + b"1" * (1024 - 11)
        last = b"250 " + b"1" * (1024 - 6 + more)
        script = ehlo(*[line] * 63, last if more <= 0 else b"250-DSN", *([] if more <= 0 else [last[:-9]]))
        outcome = play(whole(*script))
        assert outcome.ended == ("" if passes else "DropConnection: ehlo-reply: more than can be held")

    @pytest.mark.parametrize(
        ("line", "lines", "passes"),
        [(b"250-DSN\r\n", 99, True), (b"250-DSN\r\n", 100, False), (b"250-" + b"1" * 1018 + b"\r\n", 64, False)],
    )
    def test_a_reply_without_an_end_is_cut_off_where_it_is_too_much(self, line, lines, passes):
        script = (server(b"220 mx\r\n"), client(b"EHLO a\r\n"), server(b"250-mx\r\n"), server(line * lines))
        ended = play(whole(*script)).ended
        assert ended == ("" if passes else "DropConnection: ehlo-reply: more than can be held")


class TestHolding:
    def test_a_line_waits_for_its_end_and_so_does_what_is_behind_a_client_octet(self):
        wire = Wire()
        wire.send(Side.SERVER, b"220 mx\r\n")
        wire.send(Side.CLIENT, b"EHLO a\r\n")
        wire.send(Side.SERVER, b"250-mx\r\n250-STAR")
        assert wire.outcome().server.endswith(b"250-mx\r\n250-")
        wire.send(Side.CLIENT, b"NOOP\r\n")
        assert isinstance(wire.actions[-1], Hold)
        assert wire.outcome().server.endswith(b"250-mx\r\n250-")
        wire.send(Side.SERVER, b"TTLS\r\n")
        assert wire.outcome().server.endswith(b"250-mx\r\n250-XXXXXXXA\r\n")

    @pytest.mark.parametrize(
        ("held", "rest", "got"),
        [
            (b"STAR", b"TTLS\r\n", b"XXXXXXXX\r\n"),
            (b"SIZE", b" 1\r\n", b"XXXXXX\r\n"),
            (b"SIZE 1", b"0\r\n", b"SIZE 10\r\n"),
            (b"HELP x", b"y\r\n", b"XXXXXXX\r\n"),
            (b"HELP\r", b"\n", b"XXXX\r\n"),
            (b"SIZE 1\r", b"\n", b"SIZE 1\r\n"),
            (b"SIZE 1\r", b"250-A\r\n", b"SIZE 1\rXXXXX\r\n"),
            (b"SIZE 1", b"\r250-A\r\n", b"SIZE 1\rXXXXX\r\n"),
            (b"SIZE 1", b"\r\r\n", b"SIZE 1\r\r\n"),
            (b"SIZE 1\r2", b"50-A\r\n", b"XXXXXXXXXXXX\r\n"),
            (b"HELP x", b"\r250-A\r\n", b"XXXXXX\rXXXXX\r\n"),
        ],
    )
    def test_a_line_that_stalls_goes_without_a_letter(self, held, rest, got):
        wire = Wire()
        for each in ehlo(b"250-mx"):
            wire.send(each.side, each.octets)
        wire.send(Side.SERVER, b"250-" + held)
        wire.apply(Side.SERVER, wire.inspector.stalled())
        assert wire.outcome().server.endswith(b"250-" + got[: len(held)])
        wire.send(Side.SERVER, rest)
        assert wire.outcome().server.split(b"250-")[2].startswith(got)
        assert wire.counters[Slot.STALLED] == 1
        wire.send(Side.SERVER, b"250 HELP\r\n")
        assert wire.outcome().server.endswith(b"250 XXXA\r\n")

    def test_a_line_that_stalls_and_comes_octet_by_octet_is_logged_once(self):
        log = Match("ehlo-reply-parameter", Reaction(Deed.LOG, log=True), words=("size", "others"))
        wire = Wire(InspectMap("m", matches=(log,)))
        for each in ehlo(b"250-mx"):
            wire.send(each.side, each.octets)
        wire.send(Side.SERVER, b"250-SIZE 1")
        wire.apply(Side.SERVER, wire.inspector.stalled())
        for octet in b"000000\r\n250-HELP\r\n":
            wire.send(Side.SERVER, bytes([octet]))
        assert wire.said == ["matched Class 1: ehlo-reply-parameter size others"] * 2
        assert wire.counters[MATCHES_BASE] == 1

    def test_a_stall_with_nothing_held_says_nothing(self):
        wire = Wire()
        assert not wire.inspector.stalled()

    def test_the_server_ends_inside_a_held_line(self):
        wire = Wire()
        for each in ehlo(b"250-mx"):
            wire.send(each.side, each.octets)
        wire.send(Side.SERVER, b"250-STAR")
        wire.apply(Side.SERVER, wire.inspector.finish(Side.SERVER))
        assert wire.outcome().server.endswith(b"250-XXXX")
