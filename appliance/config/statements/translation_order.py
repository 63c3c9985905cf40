"""What every statement of translation does, while it is being read: it takes its place among the others."""

from __future__ import annotations

from appliance.config.nat import TranslationStatement
from appliance.config.statements.objects import Objects


class TranslationOrder(Objects):
    """The statements of translation, which the file's order ranks."""

    def __init__(self) -> None:
        super().__init__()
        self.translations: list[TranslationStatement] = []

    def _add(self, statement: TranslationStatement) -> None:
        self.translations.append(statement)

    def _untold(self, dns: bool) -> None:
        if dns:
            self.accepted_once("dns", "WARNING: accepted, not acted on: dns: DNS replies are left as they are")

    def _untold_pool(self, given: tuple[str, ...]) -> None:
        if given:
            told = f"{' '.join(given)} of a pat-pool: the kernel chooses address and port"
            self.accepted_once("pat-pool", f"WARNING: accepted, not acted on: {told}")

    def _remove(self, statement: TranslationStatement) -> None:
        if statement not in self.translations:
            raise self.rejected("", "ERROR: there is no such translation")
        at = self.translations.index(statement)
        self.forgotten |= {self.translations.pop(at).line, self._line.number}
