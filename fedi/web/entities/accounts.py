"""Accounts, one's own account, relationships.

An account is rendered in two parts: what changes with its version, and the counts, which change with every post.
"""

from functools import lru_cache
from typing import Any

from fedi.clock import api_time, to_datetime
from fedi.i18n import _
from fedi.model.accounts import Account, AccountStats, ProfileField
from fedi.model.relations import Relationship
from fedi.model.users import LocalUser, Role
from fedi.web.entities.encode import encode, extended, raw
from fedi.web.entities.media import MediaUrls, emoji_values

_DAY_MS = 86_400_000
_COUNTS = b',"statuses_count":%d,"followers_count":%d,"following_count":%d,"last_status_at":%b}'

# Nothing is administered through this API yet, so no role promises any of it.
_ROLES: dict[Role, tuple[str, str]] = {
    "owner": ("3", _("Owner")),
    "admin": ("2", _("Admin")),
    "moderator": ("1", _("Moderator")),
    "user": ("-99", ""),
}


def render_account_head(account: Account, urls: MediaUrls, *, moved: bytes | None = None) -> bytes:
    """Everything but the counts, without the closing brace."""
    value: dict[str, Any] = {
        "id": str(account.id),
        "username": account.username,
        "acct": account.acct,
        "display_name": account.display_name,
        "locked": account.locked,
        "bot": account.bot,
        "discoverable": account.discoverable,
        "indexable": account.indexable,
        "group": account.kind == "Group",
        "created_at": api_time(account.created_at),
        "note": account.note,
        "url": account.url or account.uri,
        "uri": account.uri,
        "avatar": urls.avatar(account.avatar),
        "avatar_static": urls.avatar(account.avatar),
        "avatar_description": account.avatar_description,
        "header": urls.header(account.header),
        "header_static": urls.header(account.header),
        "header_description": account.header_description,
        "hide_collections": account.hide_collections,
        "noindex": not account.indexable,
        "emojis": emoji_values(account.emojis, urls),
        "roles": [],
        "fields": [_field(field) for field in account.fields],
    }
    if moved is not None:
        value["moved"] = raw(moved)
    if account.memorial:
        value["memorial"] = True
    if account.suspended_by_origin:
        value["suspended"] = True
    return encode(value)[:-1]


def join_account(head: bytes, *, statuses: int, followers: int, following: int, last_status_at: int | None) -> bytes:
    day = b"null" if last_status_at is None else _day(last_status_at // _DAY_MS)
    return head + _COUNTS % (statuses, followers, following, day)


def render_account(account: Account, stats: AccountStats, urls: MediaUrls) -> bytes:
    """The whole entity at once; pages use the cached head instead."""
    return join_account(
        render_account_head(account, urls),
        statuses=stats.statuses,
        followers=stats.followers,
        following=stats.following,
        last_status_at=stats.last_status_at,
    )


def credential_account(body: bytes, account: Account, user: LocalUser, *, follow_requests: int) -> bytes:
    """One's own account: ``body`` is the Account entity, with the settings and the role beside it."""
    settings = user.settings
    return extended(
        body,
        source={
            "privacy": settings.visibility,
            "sensitive": settings.sensitive,
            "language": settings.language,
            "note": account.note_source,
            "fields": [_source_field(field) for field in account.fields],
            "follow_requests_count": follow_requests,
            "hide_collections": account.hide_collections,
            "discoverable": account.discoverable,
            "indexable": account.indexable,
            "attribution_domains": list(account.attribution_domains),
            "quote_policy": settings.quote_policy,
        },
        role=role_value(user.role),
    )


def role_value(role: Role) -> dict[str, Any]:
    id_, name = _ROLES[role]
    return {"id": id_, "name": name, "permissions": "0", "color": "", "highlighted": role != "user"}


def relationship_value(of: Relationship) -> dict[str, Any]:
    return {
        "id": str(of.target),
        "following": of.following,
        "showing_reblogs": of.showing_reblogs,
        "notifying": of.notifying,
        "languages": None if of.languages is None else list(of.languages),
        "followed_by": of.followed_by,
        "blocking": of.blocking,
        "blocked_by": of.blocked_by,
        "muting": of.muting,
        "muting_notifications": of.muting_notifications,
        "muting_expires_at": None if of.muting_expires_at is None else api_time(of.muting_expires_at),
        "requested": of.requested,
        "requested_by": of.requested_by,
        "domain_blocking": False,
        "endorsed": False,
        "note": of.note,
    }


def _field(field: ProfileField) -> dict[str, Any]:
    verified = None if field.verified_at is None else api_time(field.verified_at)
    return {"name": field.name, "value": field.value, "verified_at": verified}


def _source_field(field: ProfileField) -> dict[str, Any]:
    return _field(field) | {"value": field.source or field.value}


@lru_cache(maxsize=512)
def _day(day: int) -> bytes:
    """A bare date: clients read nothing else here."""
    return f'"{to_datetime(day * _DAY_MS):%Y-%m-%d}"'.encode()
