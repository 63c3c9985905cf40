"""Address translation from 8.3, while it is being read: `nat` of an object, and between objects (asa.md §5.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from typing import Any

from appliance.config.names import Spelling, port_name
from appliance.config.nat import ManualNat, ObjectNat
from appliance.config.statements.translation_order import TranslationOrder
from appliance.config.syntax import Mode, Statement, both

_NOTHING: Mapping[str, Any] = {}


class ObjectTranslations(TranslationOrder):
    """Those of 8.3 and later: both sides are objects."""

    def __init__(self) -> None:
        super().__init__()
        self._object_nats: dict[str, ObjectNat] = {}

    def object_nat(self, **fields: Any) -> None:
        found = self._object_nat(**fields)
        known = self._object_nats.get(found.name)
        if known is not None and known in self.translations:
            self._remove(known)  # an object has one
            self.forgotten.discard(self._line.number)
        self._object_nats[found.name] = found
        self._add(found)

    def no_object_nat(self, **fields: Any) -> None:
        self._remove(self._object_nat(**fields))

    def _object_nat(
        self,
        interfaces: tuple[str, str],
        kind: str,
        address: IPv4Address | None = None,
        name: str | None = None,
        overload: str = "",
        pat: str = "",
        given: tuple[str, ...] = (),
        options: Mapping[str, Any] = _NOTHING,
    ) -> ObjectNat:
        ports = options.get("ports")
        if ports is not None and kind == "dynamic":
            raise self.rejected("options", "ERROR: service is for static")
        self._untold("dns" in options.get("words", ()))
        self._untold_pool(given)
        return ObjectNat(
            self._object,
            *interfaces,
            kind == "dynamic",
            address if address is not None else name,
            bool(overload),
            given if pat else None,
            ports,
            options.get("words", ()),
            self._line.number,
        )

    def manual_nat(self, position: int | None = None, **fields: Any) -> None:
        found = self._manual_nat(**fields)
        section = [
            at
            for at, each in enumerate(self.translations)
            if isinstance(each, ManualNat) and each.after_auto == found.after_auto
        ]
        if position is not None and position <= len(section):
            self.translations.insert(section[position - 1], found)
        else:
            self._add(found)

    def no_manual_nat(self, position: int | None = None, **fields: Any) -> None:
        del position
        self._remove(self._manual_nat(**fields))

    def _manual_nat(
        self,
        interfaces: tuple[str, str],
        kind: str,
        real: str,
        mapped: str | None = None,
        after: str = "",
        overload: str = "",
        pat: str = "",
        given: tuple[str, ...] = (),
        far_mapped: str = "",
        far_real: str = "",
        options: Mapping[str, Any] = _NOTHING,
    ) -> ManualNat:
        if options.get("ports") is not None:
            raise self.rejected("options", "ERROR: service of a manual rule names two objects")
        self._untold("dns" in options.get("words", ()))
        self._untold_pool(given)
        return ManualNat(
            *interfaces,
            kind == "dynamic",
            real,
            mapped,
            (far_mapped, far_real) if far_real else None,
            bool(after),
            bool(overload),
            given if pat else None,
            options.get("words", ()),
            options.get("services"),
            options.get("description", ""),
            self._line.number,
        )


def object_line(nat: ObjectNat, spelling: Spelling) -> str:
    """``nat …`` in an object's block."""
    words = [f"nat ({nat.real_interface},{nat.mapped_interface})", "dynamic" if nat.dynamic else "static"]
    mapped = spelling.address(nat.mapped) if isinstance(nat.mapped, IPv4Address) else nat.mapped
    words += _mapped_words(mapped, nat)
    words += nat.options
    if nat.ports is not None:
        protocol = nat.ports.protocol
        words += ["service", protocol, port_name(protocol, nat.ports.real), port_name(protocol, nat.ports.mapped)]
    return " ".join(words)


def manual_line(nat: ManualNat) -> str:
    """``nat … source …``"""
    words = [f"nat ({nat.real_interface},{nat.mapped_interface})"]
    words += ["after-auto"] if nat.after_auto else []
    words += ["source", "dynamic" if nat.dynamic else "static", nat.real]
    words += _mapped_words(nat.mapped, nat)
    if nat.destination is not None:
        words += ["destination", "static", *nat.destination]
    words += nat.options
    words += ["service", *nat.services] if nat.services else []
    words += ["description", nat.description] if nat.description else []
    return " ".join(words)


def _mapped_words(mapped: str | None, nat: ObjectNat | ManualNat) -> list[str]:
    words = ["interface" if mapped is None else mapped]
    words = words if nat.pat_pool is None else ["pat-pool", *words, *nat.pat_pool]
    return [*words, *(["interface"] if nat.overload else [])]


_PAT_POOL = "<pat=pat-pool> <{}:place> [<given:pat-options>] [<overload=interface>]"


def _object_nats() -> Iterator[Statement]:
    for kind in ("static", "dynamic"):
        for mapped in ("interface", "<address:address>", "<name:place>"):
            if kind == "dynamic" and mapped != "interface":
                mapped += " [<overload=interface>]"
            yield from _object_nat(kind, mapped)
    yield from _object_nat("dynamic", _PAT_POOL.format("name"))


def _object_nat(kind: str, mapped: str) -> tuple[Statement, ...]:
    return both(
        f"nat <interfaces:any-interfaces> <kind={kind}> {mapped} [<options:nat-options>]",
        ObjectTranslations.object_nat,
        ObjectTranslations.no_object_nat,
        says="the object's translation",
    )


def _manual_nats() -> Iterator[Statement]:
    dynamic = ("interface", "<mapped:place> [<overload=interface>]", _PAT_POOL.format("mapped"))
    kinds = [("static", "interface"), ("static", "<mapped:place>"), *(("dynamic", each) for each in dynamic)]
    for kind, mapped in kinds:
        yield from both(
            "nat <interfaces:any-interfaces> [<after=after-auto>] [<position:1-2147483647>] source"
            f" <kind={kind}> <real:place> {mapped}"
            " [destination static <far_mapped:place> <far_real:place>] [<options:nat-options>]",
            ObjectTranslations.manual_nat,
            ObjectTranslations.no_manual_nat,
            says="a translation asked before (or, after-auto, behind) those of objects",
        )


STATEMENTS = {
    Mode.CONFIGURE: tuple(_manual_nats()),
    Mode.NETWORK_OBJECT: tuple(_object_nats()),
}
