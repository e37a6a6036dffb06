"""The streams by name, and what of an event belongs on which."""

from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web

from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.ids import AccountId, StatusId
from fedi.ledger.pages import read_entries
from fedi.ledger.routing import tag_surface
from fedi.store import details, lists, notifications, timelines
from fedi.store.database import Tx
from fedi.store.timelines import Range, SlotRow
from fedi.streaming.hub import Event, EventKind
from fedi.web.keys import CLOCK, DATABASE, ENTITIES

_PLAIN = frozenset({
    "user", "user:notification", "public", "public:local", "public:remote",
    "public:media", "public:local:media", "public:remote:media", "direct",
})  # fmt: skip
_TAGGED = frozenset({"hashtag", "hashtag:local"})
_DECISIONS = 50  # on one position


class Stream(NamedTuple):
    """``param`` is the tag or the id of the list."""

    name: str
    param: str = ""

    def label(self) -> list[str]:
        """As frames name it: an array, which apps search for the name and its parameter."""
        return [self.name, self.param] if self.param else [self.name]


class Frame(NamedTuple):
    """``payload`` is JSON, the bare id of what was deleted, or nothing."""

    stream: Stream
    kind: EventKind
    payload: bytes | None


def parse_stream(asked: Mapping[str, object]) -> Stream:
    """From ``stream`` with ``tag`` or ``list``. Raises ``ClientFault`` 400."""
    name, tag, list_id = str(asked.get("stream", "")), str(asked.get("tag", "")), str(asked.get("list", ""))
    if name in _PLAIN:
        return Stream(name)
    if name in _TAGGED:
        if not tag:
            raise ClientFault("no-tag", _("Name the hashtag to listen to."), status=400)
        return Stream(name, tag.removeprefix("#"))
    if name == "list":
        if not (list_id.isascii() and list_id.isdigit() and len(list_id) <= 18):
            raise ClientFault("no-list", _("Name the list to listen to."), status=400)
        return Stream(name, list_id)
    raise ClientFault("unknown-stream", _("There is no such stream."), status=400)


def scopes_of(stream: Stream) -> tuple[str, ...]:
    if stream.name == "user:notification":
        return ("read:notifications",)
    return ("read:lists", "read:statuses") if stream.name == "list" else ("read:statuses",)


class Watcher:
    """What one connection listens to on behalf of ``viewer``."""

    def __init__(self, app: web.Application, viewer: AccountId) -> None:
        self.viewer = viewer
        self.streams: dict[Stream, None] = {}
        self._database = app[DATABASE]
        self._entities = app[ENTITIES]
        self._clock = app[CLOCK]

    async def add(self, stream: Stream) -> None:
        """Raises ``ClientFault`` 404 for a list that is not the viewer's."""
        if stream.name == "list":
            list_id = int(stream.param)
            found = await self._database.read(lambda tx: lists.find_list(tx, self.viewer, list_id))
            if found is None:
                raise ClientFault("not-found", _("Record not found"), status=404)
        self.streams[stream] = None

    async def frames(self, event: Event) -> list[Frame]:
        """What ``event`` becomes for this viewer, once for each stream that it belongs on."""
        if not self.streams:
            return []
        match event.kind:
            case "notification":
                return await self._of_notification(event)
            case "filters_changed":
                return [Frame(stream, event.kind, None) for stream in self.streams if stream.name == "user"]
            case "update" | "status.update" | "delete":
                return await self._of_status(event)
            case "announcement" | "actor":
                return []

    async def _of_notification(self, event: Event) -> list[Frame]:
        wanted = [stream for stream in self.streams if stream.name in {"user", "user:notification"}]
        number = event.notification
        if not wanted or number is None or event.account != self.viewer:
            return []

        async def unit(tx: Tx) -> list[bytes]:
            row = await notifications.find_notification(tx, self.viewer, number)
            return [] if row is None else await self._entities.notifications(tx, [row], self.viewer)

        bodies = await self._database.read_now(unit)
        return [Frame(stream, event.kind, body) for body in bodies for stream in wanted]

    async def _of_status(self, event: Event) -> list[Frame]:
        status = event.status
        if status is None:
            return []

        async def unit(tx: Tx) -> list[Frame]:
            places = [stream for stream in self.streams if await self._stands_on(tx, stream, status, event.kind)]
            if not places:
                return []
            if event.kind == "delete":
                return [Frame(stream, event.kind, str(status).encode()) for stream in places]
            shown = await self._entities.statuses(tx, [status], self.viewer, own_filters=True)
            return [Frame(stream, event.kind, shown[status]) for stream in places if status in shown]

        return await self._database.read_now(unit)

    async def _stands_on(self, tx: Tx, stream: Stream, status: StatusId, kind: EventKind) -> bool:
        """Whether the status has a position there that is shown, or was until it was deleted."""
        span = Range(below=status + 1, above=status - 1)
        rows: list[SlotRow]
        match stream.name:
            case "user":
                rows = await timelines.list_home(tx, self.viewer, span, _DECISIONS)
            case "list":
                rows = await timelines.list_members(tx, self.viewer, int(stream.param), span, _DECISIONS)
            case "public:local" | "public:local:media":
                rows = await timelines.list_surface(tx, "local", span, _DECISIONS)
            case "public" | "public:remote" | "public:media" | "public:remote:media":
                rows = await timelines.list_surface(tx, "public", span, _DECISIONS)
            case "hashtag" | "hashtag:local":
                rows = await timelines.list_surface(tx, tag_surface(stream.param), span, _DECISIONS)
            case _:
                return False
        entries = read_entries(rows, self._clock.ms() // 1000)
        if not entries or (kind != "delete" and entries[0].state != "shown"):
            return False
        return await self._is_of_kind(tx, stream.name, status)

    async def _is_of_kind(self, tx: Tx, name: str, status: StatusId) -> bool:
        parts = name.split(":")
        if not {"remote", "media"} & set(parts) and name != "hashtag:local":
            return True
        marks = (await details.list_marks(tx, [status])).get(status)
        if marks is None:
            return False
        if "media" in parts and not marks.has_media:
            return False
        if "remote" in parts:
            return not marks.local
        return bool(marks.local) if name == "hashtag:local" else True
