"""Static routes, while they are being read (asa.md §6.5)."""

from __future__ import annotations

from typing import Any

from appliance.config.config import Route
from appliance.config.names import PLAIN, Spelling
from appliance.config.statements.accepted import AcceptedStatements, Section, kept
from appliance.config.syntax import Mode, both


class Routes(AcceptedStatements):
    """The routes in the file's order."""

    def __init__(self) -> None:
        super().__init__()
        self.routes: dict[Route, Route] = {}

    def route(self, **fields: Any) -> None:
        route = Route(**fields)
        if route.track is not None:
            self.accepted_once("track", "WARNING: accepted, not acted on: track of a route; the route stays")
        self.said("route", route)
        self.routes[route] = route

    def no_route(self, **fields: Any) -> None:
        route = Route(**fields)
        self.forgotten.add(self._line.number)
        self.unsaid("route", route)
        self.routes.pop(route, None)


def route_line(route: Route, spelling: Spelling = PLAIN) -> str:
    """``route …``"""
    network = f"{spelling.address(route.network.network_address)} {route.network.netmask}"
    track = "" if route.track is None else f" track {route.track}"
    return f"route {route.interface} {network} {spelling.address(route.gateway)} {route.metric}{track}"


_ROUTE = "route <interface:nameif> <network:network> <gateway:address>"

STATEMENTS = {
    Mode.CONFIGURE: (
        *both(
            f"{_ROUTE} [<metric:1-255>] [track <track:1-500>]",
            Routes.route,
            Routes.no_route,
            says="a static route; track: accepted, the route stays",
        ),
        *kept(
            f"{_ROUTE} [<metric:1-255>] tunneled",
            "route tunneled",
            Section.ROUTES,
            "accepted, not acted on: there are no tunnels",
        ),
        *kept(
            "route <_=Null0> <_:network> [<_:rest>]",
            "route Null0",
            Section.ROUTES,
            "accepted, not acted on: what is for that network goes by the other routes",
        ),
    ),
}
