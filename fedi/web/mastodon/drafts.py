"""From what an app sends to a draft: names, defaults and forms of the client API."""

from typing import get_args

from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.ids import MediaId, StatusId
from fedi.model.statuses import QuotePolicy, Status, Visibility
from fedi.model.users import UserSettings
from fedi.outbox.draft import Draft, EditDraft, MediaDraft, PollDraft
from fedi.web.mastodon.media import parse_focus
from fedi.web.params import Params

_VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)
_QUOTE_POLICIES: tuple[QuotePolicy, ...] = get_args(QuotePolicy)


def refuse_schedule(params: Params) -> None:
    """An app that asked for a later time expects another answer, so the post is not published now instead."""
    if params.text("scheduled_at"):
        raise ClientFault(
            "no-schedule", _("Posts cannot be scheduled here yet. Send it without a time to publish it now.")
        )


def parse_draft(
    params: Params, settings: UserSettings, *, application: int | None, idempotency_key: str | None
) -> Draft:
    """What is left out is as the author set it."""
    spoiler = params.text("spoiler_text") or ""
    sensitive = params.flag("sensitive")
    return Draft(
        text=params.text("status") or "",
        visibility=_visibility(params) or settings.visibility,
        in_reply_to=_status(params, "in_reply_to_id"),
        media=_media(params),
        poll=_poll(params),
        sensitive=settings.sensitive if sensitive is None else sensitive,
        spoiler=spoiler,
        language=params.text("language") or settings.language,
        quote=_status(params, "quoted_status_id"),
        quote_policy=_quote_policy(params) or settings.quote_policy,
        application=application,
        idempotency_key=idempotency_key,
    )


def parse_edit(params: Params, before: Status) -> EditDraft:
    """What is left out stays, but for attachments and the poll: apps send those that are to stay."""
    text, spoiler, sensitive = params.text("status"), params.text("spoiler_text"), params.flag("sensitive")
    return EditDraft(
        text=(before.source or "") if text is None else text,
        media=_media(params),
        media_changes=tuple(_media_change(group) for group in params.groups("media_attributes") or []),
        poll=_poll(params),
        sensitive=before.sensitive if sensitive is None else sensitive,
        spoiler=before.spoiler if spoiler is None else spoiler,
        title=before.title,
        language=params.text("language") or before.language,
        quote_policy=_quote_policy(params),
    )


def _visibility(params: Params) -> Visibility | None:
    asked = params.text("visibility")
    if not asked:
        return None
    for word in _VISIBILITIES:
        if word == asked:
            return word
    raise ClientFault("unknown-visibility", _("The visibility is public, unlisted, private or direct."))


def _quote_policy(params: Params) -> QuotePolicy | None:
    asked = params.text("quote_approval_policy")
    if not asked:
        return None
    for word in _QUOTE_POLICIES:
        if word == asked:
            return word
    raise ClientFault("no-quote-policy", _("Say who may quote this post: public, followers or nobody."))


def _status(params: Params, name: str) -> StatusId | None:
    found = params.integer(name)
    return None if found is None else StatusId(found)


def _media(params: Params) -> tuple[MediaId, ...]:
    return tuple(MediaId(id_) for id_ in params.integers("media_ids") or [])


def _media_change(params: Params) -> MediaDraft:
    id_ = params.integer("id")
    if id_ is None:
        raise ClientFault("parameter-invalid", _("Name the attachment to change."))
    return MediaDraft(id=MediaId(id_), description=params.text("description"), focus=parse_focus(params.text("focus")))


def _poll(params: Params) -> PollDraft | None:
    group = params.group("poll")
    options = group.texts("options") if group is not None else None
    if group is None or not options:
        return None
    return PollDraft(
        options=tuple(options), expires_in_s=group.integer("expires_in") or 0, multiple=bool(group.flag("multiple"))
    )
