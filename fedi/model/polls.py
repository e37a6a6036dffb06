"""Questions with options to choose from."""

from dataclasses import dataclass
from typing import Literal

from fedi.ids import StatusId

VoteOutcome = Literal["counted", "closed", "already-voted", "no-such-option", "one-choice-only", "no-choice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOption:
    title: str
    votes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """``id`` is that of its status. ``voters`` is None where the origin does not tell."""

    id: StatusId
    multiple: bool
    expires_at: int | None = None
    closed_at: int | None = None
    voters: int | None = None
    options: tuple[PollOption, ...]

    def is_closed(self, now_ms: int) -> bool:
        return self.closed_at is not None or (self.expires_at is not None and self.expires_at <= now_ms)

    @property
    def votes(self) -> int:
        return sum(option.votes for option in self.options)
