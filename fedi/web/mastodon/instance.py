"""What a client learns before anything else: the instance documents, rules, refused servers.

The two large documents are asked for by every start of every app, so their bytes are made once a minute at most.
"""

import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from aiohttp import web
from aiohttp.web import Request, Response

from fedi.clock import api_time
from fedi.config import Config
from fedi.media.types import UPLOADED_PICTURES
from fedi.outbox import profile
from fedi.store import accounts
from fedi.store.database import Tx
from fedi.text import text_to_html
from fedi.text.count import CHARACTERS_PER_URL
from fedi.web.again import may_repeat_until
from fedi.web.entities.encode import encode, raw
from fedi.web.entities.media import MISSING_HEADER
from fedi.web.keys import CLOCK, CONFIG, DATABASE, DECISIONS, ENTITIES
from fedi.web.mastodon.answers import answer, answer_value

API_VERSION = 0  # what of Mastodon's API clients may expect; it rises with what is really there
FEDI_API_VERSION = 1
MONTH_MS = 30 * 86_400_000
LIFE_MS = 60_000


class InstanceDocuments:
    """The bytes of both documents, and until when they are good."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, bytes]] = {}

    async def get(self, name: str, now_ms: int, make: Callable[[], Awaitable[bytes]]) -> tuple[int, bytes]:
        kept = self._kept.get(name)
        if kept is None or now_ms >= kept[0]:
            kept = self._kept[name] = (now_ms + LIFE_MS, await make())
        return kept


DOCUMENTS = web.AppKey("instance_documents", InstanceDocuments)


def setup_routes(app: web.Application) -> None:
    app[DOCUMENTS] = InstanceDocuments()
    for slash in ("", "/"):  # a library asks with the slash, and for ever if it gets 404
        app.router.add_get(f"/api/v1/instance{slash}", show_v1)
        app.router.add_get(f"/api/v2/instance{slash}", show_v2)
    app.router.add_get("/api/v1/instance/rules", list_rules)
    app.router.add_get("/api/v1/instance/extended_description", show_description)
    app.router.add_get("/api/v1/instance/domain_blocks", list_refused_domains)


async def show_v1(request: Request) -> Response:
    return await _document(request, "v1", _v1)


async def show_v2(request: Request) -> Response:
    return await _document(request, "v2", _v2)


async def list_rules(request: Request) -> Response:
    return answer_value(rules_of(request.app[CONFIG]))


async def show_description(request: Request) -> Response:
    config = request.app[CONFIG]
    return answer_value({
        "updated_at": api_time(request.app[CLOCK].ms()),
        "content": str(text_to_html(config.instance.description)),
    })  # fmt: skip


async def list_refused_domains(request: Request) -> Response:
    """Which servers are refused now, and why: no refusal is secret."""
    found = [
        {
            "domain": (domain := one.subject.removeprefix("host:")),
            "digest": hashlib.sha256(domain.encode()).hexdigest(),
            "severity": "suspend",
            "comment": one.reason,
        }
        for one in request.app[DECISIONS].list_live(request.app[CLOCK].ms())
        if one.scope == "domain"
    ]
    return answer_value(sorted(found, key=lambda one: one["domain"]))


def rules_of(config: Config) -> list[dict[str, Any]]:
    return [
        {"id": str(number), "text": text, "hint": "", "translations": {}}
        for number, text in enumerate(config.instance.rules, 1)
    ]


async def _document(
    request: Request, name: str, render: Callable[[Request, Tx], Coroutine[Any, Any, dict[str, Any]]]
) -> Response:
    async def make() -> bytes:
        return encode(await request.app[DATABASE].read(lambda tx: render(request, tx)))

    until_ms, body = await request.app[DOCUMENTS].get(name, request.app[CLOCK].ms(), make)
    may_repeat_until(request, until_ms)
    return answer(body)


async def _v1(request: Request, tx: Tx) -> dict[str, Any]:
    config = request.app[CONFIG]
    people, posts = await accounts.count_local(tx)
    contact = await _contact(request, tx)
    return {
        "uri": config.public_host,
        "title": config.instance.title,
        "short_description": config.instance.description,
        "description": config.instance.description,
        "email": config.instance.contact_email,
        "version": config.instance.reported_version,
        "urls": {"streaming_api": _streaming(config)},
        "stats": {
            "user_count": people,
            "status_count": posts,
            "domain_count": await accounts.count_hosts(tx),
        },
        "thumbnail": config.origin + MISSING_HEADER,
        "languages": list(config.instance.languages),
        "registrations": _is_open(config),
        "approval_required": False,
        "invites_enabled": False,
        "configuration": _limits(config),
        "contact_account": contact,
        "rules": rules_of(config),
    }


async def _v2(request: Request, tx: Tx) -> dict[str, Any]:
    config = request.app[CONFIG]
    thumbnail = config.origin + MISSING_HEADER
    return {
        "domain": config.public_host,
        "title": config.instance.title,
        "version": config.instance.reported_version,
        "source_url": f"{config.origin}/about",
        "description": config.instance.description,
        "usage": {"users": {"active_month": await accounts.count_active(tx, request.app[CLOCK].ms() - MONTH_MS)}},
        "thumbnail": {"url": thumbnail, "blurhash": None, "description": "", "versions": {"@1x": thumbnail}},
        "icon": [],
        "languages": list(config.instance.languages),
        "configuration": {
            "urls": {
                "streaming": _streaming(config),
                "status": None,
                "about": f"{config.origin}/about",
                "privacy_policy": None,
                "terms_of_service": None,
            },
            "vapid": {"public_key": ""},  # there is no push yet; clients stop at login without the member
            **_limits(config),
            "translation": {"enabled": False},
            "limited_federation": False,
            "timelines_access": {
                "live_feeds": {"local": "public", "remote": "public"},
                "hashtag_feeds": {"local": "public", "remote": "public"},
                "trending_link_feeds": {"local": "disabled", "remote": "disabled"},
            },
        },
        "registrations": {
            "enabled": _is_open(config),
            "approval_required": False,
            "reason_required": False,
            "message": None,
            "min_age": None,
            "url": None,
        },
        "api_versions": {"mastodon": API_VERSION, "fedi": FEDI_API_VERSION},
        "contact": {"email": config.instance.contact_email, "account": await _contact(request, tx)},
        "rules": rules_of(config),
    }


def _limits(config: Config) -> dict[str, Any]:
    posts, media = config.posts, config.media
    return {
        "accounts": {
            "max_featured_tags": 0,
            "max_pinned_statuses": posts.max_pinned,
            "max_display_name_length": profile.MAX_NAME_CHARS,
            "max_note_length": profile.MAX_NOTE_CHARS,
            "max_avatar_description_length": media.max_description_characters,
            "max_header_description_length": media.max_description_characters,
            "max_profile_fields": profile.MAX_FIELDS,
            "profile_field_name_limit": profile.MAX_FIELD_CHARS,
            "profile_field_value_limit": profile.MAX_FIELD_CHARS,
        },
        "statuses": {
            "max_characters": posts.max_characters,
            "max_media_attachments": posts.max_media,
            "characters_reserved_per_url": CHARACTERS_PER_URL,
        },
        "media_attachments": {
            "description_limit": media.max_description_characters,
            "supported_mime_types": list(UPLOADED_PICTURES),
            "image_size_limit": int(media.max_image_size),
            "image_matrix_limit": media.max_image_pixels,
            "video_size_limit": 0,
            "video_frame_rate_limit": 0,
            "video_matrix_limit": 0,
        },
        "polls": {
            "max_options": posts.max_poll_options,
            "max_characters_per_option": posts.max_poll_option_characters,
            "min_expiration": posts.min_poll_duration_s,
            "max_expiration": posts.max_poll_duration_s,
        },
    }


async def _contact(request: Request, tx: Tx) -> Any:
    """The account to write to, or null where none is named."""
    name = request.app[CONFIG].instance.contact_account.removeprefix("@")
    account = await accounts.find_by_handle(tx, name) if name else None
    return None if account is None else raw(await request.app[ENTITIES].account(tx, account))


def _streaming(config: Config) -> str:
    return f"{'ws' if config.instance.http else 'wss'}://{config.public_host}"


def _is_open(config: Config) -> bool:
    return config.registrations.mode != "closed"
