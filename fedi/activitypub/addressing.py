"""Who a post is for, as ``to`` and ``cc``. Never wider than its visibility."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from fedi.model.statuses import Visibility

PUBLIC = "https://www.w3.org/ns/activitystreams#Public"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Always lists on the wire, even with one entry: some servers read nothing else."""

    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()

    @property
    def is_distributed(self) -> bool:
        """Whether everybody may read it."""
        return PUBLIC in self.to or PUBLIC in self.cc


def address(visibility: Visibility, *, followers: str, people: Sequence[str] = ()) -> Audience:
    """``followers`` is the author's collection, ``people`` the URIs of those who are named, without the author.

    The table is Mastodon's, since every server tells visibility from it.
    """
    named = tuple(dict.fromkeys(people))
    match visibility:
        case "public":
            return Audience(to=(PUBLIC,), cc=(followers, *named))
        case "unlisted":
            return Audience(to=(followers,), cc=(PUBLIC, *named))
        case "private":
            return Audience(to=(followers,), cc=named)
        case "direct":
            return Audience(to=named)
        case never:
            assert_never(never)
