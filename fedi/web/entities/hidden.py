"""What stands in a page where posts are hidden: how many, by which decisions, until when, and where to read more."""

import html
from collections.abc import Iterable, Mapping

from fedi.i18n import Translator
from fedi.ids import ms_of_id
from fedi.ledger.decisions import Decision
from fedi.web.entities.statuses import render_notice


class Hidden:
    """The hidden posts of one page, counted by decision. ``first`` is the newest of them."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.counts: dict[str, int] = {}

    def add(self, status: int, decisions: Iterable[str]) -> None:
        if self.first is None:
            self.first = status
        for decision in decisions:
            self.counts[decision] = self.counts.get(decision, 0) + 1


def decision_page(origin: str, decision: str) -> str:
    return f"{origin}/fedi/decision/{decision}"


def render_hidden(
    hidden: Hidden,
    decisions: Mapping[str, Decision],
    *,
    account: bytes,
    viewer: int | None,
    origin: str,
    t: Translator,
) -> bytes:
    """One status for the whole page, in the reader's language, spoken by the instance itself."""
    assert hidden.first is not None
    pages = [decision_page(origin, id_) for id_ in hidden.counts]
    paragraphs = [
        _paragraph(decisions[id_], count, decision_page(origin, id_), t)
        for id_, count in hidden.counts.items()
        if id_ in decisions
    ]
    return render_notice(
        status_id=hidden.first,
        content="".join(paragraphs),
        created_at=ms_of_id(hidden.first),
        page=pages[0] if pages else origin,
        language=t.lang,
        account=account,
        viewer=viewer,
    )


def _paragraph(decision: Decision, count: int, page: str, t: Translator) -> str:
    sentence = t.ngettext(
        "%(num)s post is hidden here until %(until)s. Rule: %(rule)s. Reason: %(reason)s",
        "%(num)s posts are hidden here until %(until)s. Rule: %(rule)s. Reason: %(reason)s",
        count,
        until=t.date(decision.until * 1000, "long"),
        rule=decision.rule,
        reason=decision.reason,
    )
    link = f'<a href="{html.escape(page)}">{html.escape(t.gettext("Read the decision"), quote=False)}</a>'
    return f"<p>{html.escape(sentence, quote=False)}<br>{link}</p>"
