"""The translations: how many there are; what is said when statics come and go, and when each was last used."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from appliance.daemon.translations import Translations
from appliance.nat.connection import Key, Parties
from appliance.nat.static import Static

SECOND = 1_000_000_000
MAIL = Static("inside", "outside", IPv4Address("203.0.113.125"), IPv4Address("192.0.2.25"), 50, 100)
ESA = Static("inside", "outside", IPv4Address("203.0.113.126"), IPv4Address("192.0.2.26"))


def said(translations: Translations, *statics: Static, now: int = 0) -> list[str]:
    return [each.text() for each in translations.configure(statics, len(statics), now)]


def test_they_come_with_the_configuration_and_go_with_it() -> None:
    translations = Translations()
    assert said(translations, MAIL, ESA) == [
        "Built static translation from inside:192.0.2.25 to outside:203.0.113.125",
        "Built static translation from inside:192.0.2.26 to outside:203.0.113.126",
    ]
    assert said(translations, MAIL, now=30 * SECOND) == [
        "Teardown static translation from inside:192.0.2.26 to outside:203.0.113.126 duration 0:00:30"
    ]
    assert said(translations, now=3600 * SECOND) == [
        "Teardown static translation from inside:192.0.2.25 to outside:203.0.113.125 duration 1:00:00"
    ]
    assert translations.most == 2


def test_other_limits_make_no_other_translation_but_another_host_does() -> None:
    translations = Translations()
    said(translations, MAIL)
    assert said(translations, replace(MAIL, max_conns=7)) == []
    moved = replace(MAIL, real=IPv4Address("192.0.2.77"))
    assert said(translations, moved, now=SECOND) == [
        "Teardown static translation from inside:192.0.2.25 to outside:203.0.113.125 duration 0:00:01",
        "Built static translation from inside:192.0.2.77 to outside:203.0.113.125",
    ]


def test_the_latest_connection_is_its_last_use() -> None:
    translations = Translations()
    said(translations, MAIL, ESA, now=SECOND)
    client, server = IPv4Address("203.0.113.10"), IPv4Address("203.0.113.200")
    translations.used(Key(MAIL.mapped, 25, client, 40000), 5 * SECOND)
    translations.used(Key(server, 25, client, 40000), 9 * SECOND)  # no static's
    said(translations, MAIL, ESA, now=7 * SECOND)
    assert translations.last_uses() == {MAIL.name: 5 * SECOND, ESA.name: SECOND}
    translations.used(Key(server, 25, ESA.real, 40000), 9 * SECOND)  # the host itself opened it
    assert translations.last_uses() == {MAIL.name: 5 * SECOND, ESA.name: 9 * SECOND}


def test_what_connections_were_given_is_in_use_with_the_statics() -> None:
    translations = Translations()
    given = Parties(Key(ESA.mapped, 25, MAIL.real, 40000), ESA.mapped, beyond=(MAIL.mapped, 1025))
    plain = replace(given, beyond=None)
    said(translations, MAIL, ESA)
    for each in (given, plain, given):
        translations.enter(each)
    assert (translations.in_use, translations.most) == (4, 4)
    translations.leave(plain)
    translations.leave(given)
    said(translations, MAIL)
    assert (translations.in_use, translations.most) == (2, 4)
    translations.recount()
    for _ in range(4):
        translations.enter(given)
    assert (translations.in_use, translations.most) == (5, 5)


def test_a_port_of_udp_stands_though_no_connection_is_counted_through_it() -> None:
    translations = Translations()
    assert list(translations.configure((), 1, 0)) == []
    assert (translations.in_use, translations.most) == (1, 1)
