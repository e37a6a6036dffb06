"""QuoteRequest, and the answers to ours (FEP-044f). The policy is a hint, the stamp is the proof."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fedi.activitypub.vocab import QuoteAuthorization
from fedi.inbox.authorize import refused
from fedi.inbox.effects import AnswerQuote, Decided, SetQuote
from fedi.inbox.outcome import Ignored
from fedi.model.statuses import Status
from fedi.store.inbox import ActorBrief


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """``quoted`` is the local post that ``quote`` (a URI) wants to quote."""

    actor: ActorBrief
    actor_uri: str
    quoted: Status | None
    quote: str
    request: Mapping[str, Any]
    is_follower: bool = False
    is_blocked: bool = False
    may_see: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFacts:
    """``quote`` is our post, ``stamp`` what was found where the answer says, ``quoted_author`` whom we asked."""

    kind: Literal["Accept", "Reject"]
    actor_uri: str
    quote: Status | None
    quoted_uri: str
    quoted_author: str | None
    stamp_uri: str | None
    stamp: QuoteAuthorization | None


def decide_request(facts: RequestFacts) -> Decided:
    quoted = facts.quoted
    if quoted is None or not quoted.local or quoted.deleted_at is not None or not facts.may_see:
        return Ignored("unknown-object")
    granted = not facts.is_blocked and quoted.visibility in {"public", "unlisted"} and _allows(quoted, facts)
    return (
        AnswerQuote(
            author=quoted.account,
            asker=facts.actor,
            asker_uri=facts.actor_uri,
            status=quoted.id,
            quote=facts.quote,
            request=facts.request,
            granted=granted,
        ),
    )


def _allows(quoted: Status, facts: RequestFacts) -> bool:
    match quoted.quote_policy:
        case "public":
            return True
        case "followers":
            return facts.is_follower
        case "nobody":
            return False


def decide_answer(facts: AnswerFacts) -> Decided:
    quote = facts.quote
    if quote is None or not quote.local or quote.quote_uri != facts.quoted_uri:
        return Ignored("unknown-object")
    if facts.quoted_author != facts.actor_uri:
        raise refused("not-the-quoted", f"{facts.kind} of a quote of somebody else")
    if facts.kind == "Reject":
        return (SetQuote(status=quote.id, state="rejected", authorization=None),)
    if not is_stamp_for(facts.stamp, quote=quote.uri, quoted=facts.quoted_uri, author=facts.actor_uri):
        raise refused("bad-stamp", f"{facts.stamp_uri} does not let {quote.uri} quote {facts.quoted_uri}")
    return (SetQuote(status=quote.id, state="accepted", authorization=facts.stamp_uri, republish=True),)


def is_stamp_for(stamp: QuoteAuthorization | None, *, quote: str, quoted: str, author: str) -> bool:
    """All three fields must match; that it came from the author's host is the caller's to check."""
    return (
        stamp is not None
        and stamp.interacting_object == quote
        and stamp.interaction_target == quoted
        and stamp.attributed_to == author
    )
