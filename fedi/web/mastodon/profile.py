"""Changing one's own profile and defaults: everything in one form, of which apps send what has changed."""

from dataclasses import replace
from typing import Literal, get_args

from aiohttp import web
from aiohttp.web import FileField, Request, Response

from fedi.auth.tokens import Caller
from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.ids import AccountId
from fedi.model.accounts import Account
from fedi.model.statuses import QuotePolicy, Visibility
from fedi.model.users import UserSettings
from fedi.outbox.profile import ProfileDraft
from fedi.store import accounts, users
from fedi.store.database import Tx
from fedi.web.callers import require
from fedi.web.keys import DATABASE, ENTITIES, OUTBOX, UPLOADS
from fedi.web.mastodon.answers import answer
from fedi.web.params import Params
from fedi.web.uploaded import count_upload, read_upload

SCOPE = "write:accounts"
MAX_DOMAINS = 100
MAX_DOMAIN = 253


def setup_routes(app: web.Application) -> None:
    for path in ("/api/v1/accounts/update_credentials",):
        app.router.add_patch(path, update_credentials)
        app.router.add_put(path, update_credentials)
    app.router.add_delete("/api/v1/profile/avatar", drop_avatar)
    app.router.add_delete("/api/v1/profile/header", drop_header)


async def update_credentials(request: Request) -> Response:
    caller = await require(request, SCOPE)
    async with read_upload(request, files=2) as params:
        settings = _settings_draft(params)
        draft = ProfileDraft(
            display_name=params.text("display_name"),
            note=params.text("note"),
            fields=_fields(params),
            avatar=await _portrait(request, caller, params, "avatar"),
            avatar_description=params.text("avatar_description"),
            header=await _portrait(request, caller, params, "header"),
            header_description=params.text("header_description"),
            locked=params.flag("locked"),
            bot=params.flag("bot"),
            discoverable=params.flag("discoverable"),
            indexable=_first(params, "indexable"),
            hide_collections=_first(params, "hide_collections"),
            attribution_domains=_domains(params),
        )
    await _change(request, caller.account_id, draft)
    if settings:
        await request.app[DATABASE].write("change defaults", lambda tx: _set(tx, caller.account_id, settings))
    return await _credentials(request, caller)


async def drop_avatar(request: Request) -> Response:
    caller = await require(request, SCOPE)
    await _change(request, caller.account_id, ProfileDraft(avatar="", avatar_description=""))
    return await _credentials(request, caller)


async def drop_header(request: Request) -> Response:
    caller = await require(request, SCOPE)
    await _change(request, caller.account_id, ProfileDraft(header="", header_description=""))
    return await _credentials(request, caller)


async def _change(request: Request, account: AccountId, draft: ProfileDraft) -> None:
    """Pictures that are no longer used go, whether the old ones or, when the change is refused, the new ones."""
    uploads = request.app[UPLOADS]
    before = await request.app[DATABASE].read_now(lambda tx: accounts.find_account(tx, account))
    assert before is not None
    try:
        after: Account = await request.app[OUTBOX].update_profile(account, draft)
    except ClientFault:
        for name in (draft.avatar, draft.header):
            uploads.remove_file(name)
        raise
    for old, new in ((before.avatar, after.avatar), (before.header, after.header)):
        if old != new:
            uploads.remove_file(old)


async def _credentials(request: Request, caller: Caller) -> Response:
    entities = request.app[ENTITIES]
    return answer(await request.app[DATABASE].read_now(lambda tx: entities.credential_account(tx, caller.account_id)))


async def _portrait(request: Request, caller: Caller, params: Params, name: Literal["avatar", "header"]) -> str | None:
    """A stored file; '' takes the picture away, None leaves it."""
    sent = params.get(name)
    if isinstance(sent, FileField):
        count_upload(request, caller)
        return await request.app[UPLOADS].draw_portrait(sent.file, name)
    return "" if sent == "" and name in params else None


def _fields(params: Params) -> list[tuple[str, str]] | None:
    """``fields_attributes``, as a list or with numbers for names. All of them, since what is left out goes."""
    groups = params.groups("fields_attributes")
    if groups is None:
        return None
    return [((one.text("name") or "").strip(), (one.text("value") or "").strip()) for one in groups]


def _domains(params: Params) -> list[str] | None:
    found = params.texts("attribution_domains")
    if found is None:
        return None
    kept = [text.strip().lower().removeprefix("*.") for text in found if text.strip()]
    if len(kept) > MAX_DOMAINS or any(len(domain) > MAX_DOMAIN or "/" in domain for domain in kept):
        raise ClientFault("parameter-invalid", _("Write each website as its name alone, such as example.com."))
    return kept


def _first(params: Params, name: str) -> bool | None:
    """Some apps send these beside the profile, some within ``source``."""
    flag = params.flag(name)
    source = params.group("source")
    return source.flag(name) if flag is None and source is not None else flag


def _settings_draft(params: Params) -> dict[str, object]:
    """What of the posting defaults is to change."""
    source = params.group("source")
    if source is None:
        return {}
    changes: dict[str, object] = {}
    if (privacy := source.text("privacy")) is not None:
        changes["visibility"] = _one_of(privacy, get_args(Visibility))
    if (sensitive := source.flag("sensitive")) is not None:
        changes["sensitive"] = sensitive
    if "language" in source:
        changes["language"] = _language(source.text("language"))
    if (quotes := source.text("quote_policy")) is not None:
        changes["quote_policy"] = _one_of(quotes, get_args(QuotePolicy))
    return changes


async def _set(tx: Tx, account: AccountId, changes: dict[str, object]) -> None:
    user = await users.find_user(tx, account)
    assert user is not None
    changed: UserSettings = replace(user.settings, **changes)  # type: ignore[arg-type]  # checked one by one
    await users.set_settings(tx, account, changed)


def _one_of(text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise ClientFault("parameter-invalid", _("Choose one of: %(choices)s."), params={"choices": ", ".join(allowed)})
    return text


def _language(text: str | None) -> str | None:
    if not text:
        return None
    if not (2 <= len(text) <= 20 and text.isascii() and text.replace("-", "").isalnum()):
        raise ClientFault("parameter-invalid", _("The language must be a code such as “en”."))
    return text
