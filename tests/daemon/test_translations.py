"""The translations: how many there are; what is said when statics come and go, and when each was last used."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from appliance.config.topology import Ends
from appliance.daemon.translations import Translations
from appliance.flow import Endpoint
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
    ends = Ends(INSIDE, OUTSIDE, Endpoint("inside", MAIL.mapped, 1025), OUTSIDE, inbound=False)
    said(translations, MAIL, ESA)
    built = [translations.enter(each, ends, SECOND) for each in (given, plain, given)]
    assert [each.text() for each in built if each] == [
        "Built dynamic TCP translation from inside:192.0.2.25/40000 to outside:203.0.113.125/1025"
    ] * 2
    assert (translations.in_use, translations.most) == (4, 4)
    assert translations.leave(plain, ends, 3, SECOND) is None
    gone = translations.leave(given, ends, 3, SECOND)
    assert gone is not None
    assert gone.text().startswith("Teardown dynamic TCP translation from inside:192.0.2.25/40000")
    said(translations, MAIL)
    assert (translations.in_use, translations.most) == (2, 4)
    assert len(list(translations.recount([(given, ends, SECOND)] * 4))) == 4
    assert (translations.in_use, translations.most) == (5, 5)


OUTSIDE = Endpoint("outside", IPv4Address("203.0.113.10"), 25)
INSIDE = Endpoint("inside", MAIL.real, 40000)
PEER = Endpoint("outside", IPv4Address("203.0.113.10"), 40000)
SERVER = Endpoint("inside", IPv4Address("192.0.2.27"), 25)


def otherwise(port: int = 25, real: int = 25) -> tuple[Parties, Ends]:
    """A connection whose server only some may call by that address, and that port."""
    mapped, server = Endpoint("outside", IPv4Address("203.0.113.130"), port), replace(SERVER, port=real)
    parties = Parties(Key(mapped.address, port, PEER.address, PEER.port), SERVER.address, real_port=real)
    return parties, Ends(PEER, server, PEER, mapped, inbound=True, otherwise=True)


def test_as_whom_only_some_call_a_server_is_one_from_the_first_of_them_to_the_last() -> None:
    translations = Translations()
    mail, submission, moved = otherwise(), otherwise(587, 587), otherwise(2525)
    told = [translations.enter(*each, at * SECOND) for at, each in enumerate((mail, submission, moved), 1)]
    assert [each.text() if each else None for each in told] == [
        "Built static translation from inside:192.0.2.27 to outside:203.0.113.130",
        None,
        "Built static TCP translation from inside:192.0.2.27/25 to outside:203.0.113.130/2525",
    ]
    assert (translations.in_use, translations.most) == (2, 2)
    assert [(str(each.real), str(each.mapped), each.last) for each in translations.called()] == [
        ("inside:192.0.2.27/0", "outside:203.0.113.130/0", 2 * SECOND),
        ("inside:192.0.2.27/25", "outside:203.0.113.130/2525", 3 * SECOND),
    ]
    told = [translations.leave(*each, 1, 9 * SECOND) for each in (mail, submission, moved)]
    assert [each.text() if each else None for each in told] == [
        None,
        "Teardown static translation from inside:192.0.2.27 to outside:203.0.113.130 duration 0:00:08",
        "Teardown static TCP translation from inside:192.0.2.27/25 to outside:203.0.113.130/2525 duration 0:00:06",
    ]
    assert translations.leave(*mail, 1, SECOND) is None, "its beginning was lost"
    assert (translations.in_use, translations.called()) == (0, ())


def test_counted_anew_they_are_as_old_as_they_were() -> None:
    translations = Translations()
    translations.enter(*otherwise(), SECOND)
    translations.enter(*otherwise(2525), SECOND)
    list(translations.recount([(*otherwise(), 5 * SECOND), (*otherwise(), 4 * SECOND)]))
    assert [each.last for each in translations.called()] == [5 * SECOND]
    assert translations.leave(*otherwise(), 1, 9 * SECOND) is None
    gone = translations.leave(*otherwise(), 1, 9 * SECOND)
    assert gone is not None
    assert gone.text().endswith("duration 0:00:08")


def test_a_port_of_udp_stands_though_no_connection_is_counted_through_it() -> None:
    translations = Translations()
    assert list(translations.configure((), 1, 0)) == []
    assert (translations.in_use, translations.most) == (1, 1)
