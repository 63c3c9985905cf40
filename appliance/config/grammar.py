"""Every statement of the language: one table, by mode, put together from the topics in `statements`.

A row is the statement as ASA's command reference writes it (the notation is `syntax`'s), the method of the draft that
does it, and the mode it opens. Sources: asa.md §2, §5.1, §6. Ours: ``hardware``, ``metrics``, ``inspection-workers``,
``mask-banner all``, ``smuggling-guard``, ``fail-open``, ``timeout embryonic``, ``match address`` (row 18).
"""

from __future__ import annotations

from appliance.config.statements import (
    accepted,
    access_lists,
    box,
    class_maps,
    early_translations,
    fixups,
    inspect_maps,
    interfaces,
    logs,
    object_translations,
    objects,
    policies,
    regexes,
    routes,
)
from appliance.config.statements.sheet import END, EXIT, QUIT
from appliance.config.syntax import Mode, Statement, compiled

TOPICS = (
    *(accepted, box, interfaces, routes, objects, access_lists, early_translations, object_translations),
    *(class_maps, policies, fixups, regexes, inspect_maps, logs),
)

STATEMENTS: dict[Mode, tuple[Statement, ...]] = {
    mode: (*(row for topic in TOPICS for row in topic.STATEMENTS.get(mode, ())), EXIT, QUIT, END) for mode in Mode
}

TREES = {mode: compiled(statements) for mode, statements in STATEMENTS.items()}
