"""Which servers, register and questions does a process run whose sources are stations?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from connectors.commands import Commands
from connectors.decoding import Decoded, context_of, reject
from connectors.health import SourceHealth
from connectors.routes import Route
from connectors.stations import StationRegister
from connectors.transports.delivery import Delivery, Holds
from connectors.transports.http_push import Flood
from connectors.transports.tcp import StationServer
from connectors.water.dialogues import Dialogue, Task, dialogue_of
from connectors.water.stations import Stations
from connectors.water.upkeep import Wish
from schemas.settings import Settings
from schemas.source import Reject

CACHE = "stations.json"


class Sessions:
    """The stations of one process. `publish` takes rejects that nobody waits for."""

    def __init__(
        self,
        settings: Settings,
        routes: Sequence[Route],
        holds: Holds,
        health: Mapping[str, SourceHealth],
        publish: Callable[[Reject], Coroutine[Any, Any, None]],
        state_dir: Path,
    ) -> None:
        mine = [route for route in routes if route.source.transport == "tcp"]
        dsn = settings.dsn("connectors")
        sources = {route.source.name: route.source for route in mine}
        secrets = {route.source.name: route.secret for route in mine if route.source.auth != "none"}
        self._limits = settings.connectors
        self._publish = publish
        self._telling: set[asyncio.Task[None]] = set()
        self._register = StationRegister(dsn, sources, secrets, state_dir / CACHE)
        self.servers = {route.source.name: self._server(route, holds, health[route.source.name]) for route in mine}
        self._commands = Commands(dsn, self.servers, timedelta(days=self._limits.station_gap_days))

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the routes; nothing without stations."""
        if not self.servers:
            return []
        return [self._register.refresh_forever(self._limits.register_refresh_s), self._commands.run()]

    async def deliveries(self, source: str) -> AsyncIterator[Delivery]:
        """Nobody may connect before it is known who may speak: what is refused is not sent again for ever."""
        await self._register.is_known.wait()
        async for delivery in self.servers[source].deliveries():
            yield delivery

    def _server(self, route: Route, holds: Holds, health: SourceHealth) -> StationServer:
        source = route.source
        zone = ZoneInfo(source.time_zone)
        flood = Flood(self._limits.push_rejects_per_minute)

        def stations() -> Stations:
            return self._register.stations(source.name)

        def dialogue() -> Dialogue:
            return dialogue_of(source.decoder, zone, stations)

        def tell(task: Task, at: datetime) -> None:
            if not flood.admits():
                health.turned_away()
                return
            context = context_of(source, at)
            if task.decode is None:
                told = Decoded(rows=[], rejects=[reject(context, task.raw, task.told or "refused", "")])
            else:
                told = task.decode(context)
            health.took([], len(told.rejects), spooled=False)
            for one in told.rejects:
                telling = asyncio.get_running_loop().create_task(self._publish(one))
                self._telling.add(telling)
                telling.add_done_callback(self._telling.discard)

        def wish(station: str, what: Wish) -> None:
            self._commands.wish(source.name, station, what)

        return StationServer(source, self._limits, dialogue, stations, holds, health, tell, wish)
