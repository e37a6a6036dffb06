"""The shapes of our own URIs, and what a URI of ours names.

They are public promises: once published they never change, so nothing else in the project builds or takes apart
one. ``name`` is a local username as stored, ids are the decimal ids of :mod:`fedi.ids`.
"""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from fedi.activitypub.urls import is_same_server
from fedi.errors import PeerFault
from fedi.ids import StatusId, Uri

RSA_KEY = "#main-key"
ED25519_KEY = "#ed25519-key"

ActorPart = Literal["inbox", "outbox", "followers", "following", "collections/featured", "collections/tags"]
StatusPart = Literal["activity", "replies", "likes", "shares"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalActor:
    """An actor of ours, or with ``part`` one of its collections."""

    name: str
    part: ActorPart | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStatus:
    """A status of ours, or with ``part`` its Create activity or one of its collections."""

    name: str
    status_id: StatusId
    part: StatusPart | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalActivity:
    """An activity of ours that is no status (a Follow, a Like, an Undo...)."""

    name: str
    activity_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalQuoteAuthorization:
    """The stamp by which ``name`` lets a post be quoted (FEP-044f)."""

    name: str
    stamp_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalContext:
    """A conversation whose root is ours."""

    context_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalInstanceActor:
    """The actor of the server itself, or with ``part`` one of its collections."""

    part: Literal["inbox", "outbox", "followers", "following"] | None = None


LocalTarget = LocalActor | LocalStatus | LocalActivity | LocalQuoteAuthorization | LocalContext | LocalInstanceActor

_NAME = r"(?P<name>[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?)"
_ID = r"(?P<id>[0-9]{1,18})"  # until the year 2453, and safely below 63 bits
_SEGMENT = r"(?P<token>[A-Za-z0-9_-]{1,64})"
_ACTOR = re.compile(
    rf"/users/{_NAME}(?:/(?P<part>inbox|outbox|followers|following|collections/featured|collections/tags))?", re.ASCII
)
_STATUS = re.compile(rf"/users/{_NAME}/statuses/{_ID}(?:/(?P<part>activity|replies|likes|shares))?", re.ASCII)
_ACTIVITY = re.compile(rf"/users/{_NAME}/activities/{_SEGMENT}", re.ASCII)
_STAMP = re.compile(rf"/users/{_NAME}/quote_authorizations/{_SEGMENT}", re.ASCII)
_CONTEXT = re.compile(rf"/contexts/{_SEGMENT}", re.ASCII)
_INSTANCE_ACTOR = re.compile(r"/actor(?:/(?P<part>inbox|outbox|followers|following))?", re.ASCII)
_PROFILE_PAGE = re.compile(rf"/@{_NAME}", re.ASCII)
_STATUS_PAGE = re.compile(rf"/@{_NAME}/{_ID}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalUris:
    """Builds and reads our URIs.

    ``origin`` is scheme and authority (``https://social.example``), ``host`` the authority as it stands in the
    ``Host`` header, ``handle_domain`` what follows the second ``@`` in our handles.
    """

    origin: str
    host: str
    handle_domain: str

    @classmethod
    def at(cls, origin: str, handle_domain: str | None = None) -> "LocalUris":
        """From an origin such as ``https://social.example`` or ``http://a.localhost:3000``."""
        host = urlsplit(origin).netloc
        return cls(origin=origin.rstrip("/"), host=host, handle_domain=handle_domain or host)

    def actor(self, name: str) -> Uri:
        return Uri(f"{self.origin}/users/{name}")

    def inbox(self, name: str) -> Uri:
        return Uri(f"{self.actor(name)}/inbox")

    def outbox(self, name: str) -> Uri:
        return Uri(f"{self.actor(name)}/outbox")

    def followers(self, name: str) -> Uri:
        return Uri(f"{self.actor(name)}/followers")

    def following(self, name: str) -> Uri:
        return Uri(f"{self.actor(name)}/following")

    def featured(self, name: str) -> Uri:
        return Uri(f"{self.actor(name)}/collections/featured")

    def featured_tags(self, name: str) -> Uri:
        return Uri(f"{self.actor(name)}/collections/tags")

    def followers_synchronization(self, name: str) -> Uri:
        """Where the receiver of a ``Collection-Synchronization`` header finds its share (FEP-8fcf)."""
        return Uri(f"{self.origin}/users/{name}/followers_synchronization")

    def rsa_key(self, name: str) -> Uri:
        return Uri(self.actor(name) + RSA_KEY)

    def ed25519_key(self, name: str) -> Uri:
        return Uri(self.actor(name) + ED25519_KEY)

    @property
    def shared_inbox(self) -> Uri:
        return Uri(f"{self.origin}/inbox")

    @property
    def instance_actor(self) -> Uri:
        return Uri(f"{self.origin}/actor")

    def instance_actor_part(self, part: Literal["inbox", "outbox", "followers", "following"]) -> Uri:
        return Uri(f"{self.instance_actor}/{part}")

    @property
    def instance_rsa_key(self) -> Uri:
        return Uri(self.instance_actor + RSA_KEY)

    @property
    def instance_ed25519_key(self) -> Uri:
        return Uri(self.instance_actor + ED25519_KEY)

    def status(self, name: str, status_id: StatusId) -> Uri:
        return Uri(f"{self.actor(name)}/statuses/{status_id}")

    def status_part(self, name: str, status_id: StatusId, part: StatusPart) -> Uri:
        return Uri(f"{self.status(name, status_id)}/{part}")

    def status_activity(self, name: str, status_id: StatusId) -> Uri:
        """The Create, or for a boost the Announce."""
        return self.status_part(name, status_id, "activity")

    def replies(self, name: str, status_id: StatusId) -> Uri:
        return self.status_part(name, status_id, "replies")

    def likes(self, name: str, status_id: StatusId) -> Uri:
        return self.status_part(name, status_id, "likes")

    def shares(self, name: str, status_id: StatusId) -> Uri:
        return self.status_part(name, status_id, "shares")

    def activity(self, name: str, activity_id: int | str) -> Uri:
        """Any activity that is no status. ``activity_id`` is an id or a random token."""
        return Uri(f"{self.actor(name)}/activities/{activity_id}")

    def instance_activity(self, activity_id: int | str) -> Uri:
        return Uri(f"{self.instance_actor}#activities/{activity_id}")

    def quote_authorization(self, name: str, stamp_id: int | str) -> Uri:
        return Uri(f"{self.actor(name)}/quote_authorizations/{stamp_id}")

    def context(self, context_id: int | str) -> Uri:
        return Uri(f"{self.origin}/contexts/{context_id}")

    def emoji(self, shortcode: str) -> Uri:
        return Uri(f"{self.origin}/emojis/{quote(shortcode, safe='')}")

    def profile_page(self, name: str) -> str:
        return f"{self.origin}/@{name}"

    def status_page(self, name: str, status_id: StatusId) -> str:
        return f"{self.origin}/@{name}/{status_id}"

    def tag_page(self, tag: str) -> str:
        """``tag`` without its ``#``; letters beyond ASCII are percent-encoded, since ``href`` must be a URL."""
        return f"{self.origin}/tags/{quote(tag, safe='')}"

    def handle(self, name: str) -> str:
        """``name@handle_domain``, as in ``acct:``."""
        return f"{name}@{self.handle_domain}"

    def is_local(self, uri: str) -> bool:
        """Whether the URI is on our origin, whatever it names."""
        return uri == self.origin or uri.startswith((self.origin + "/", self.origin + "?", self.origin + "#"))

    def is_on_our_host(self, uri: str) -> bool:
        """Whether the URI's folded host is ours, however it is spelled: no stranger may claim such an id."""
        try:
            return is_same_server(uri, self.origin)
        except PeerFault:
            return False

    def is_own_domain(self, domain: str) -> bool:
        """Whether a handle's domain, already folded, is ours."""
        return domain in {self.handle_domain, self.host}

    def find_local(self, uri: str) -> LocalTarget | None:
        """What a URI of ours names by its shape (it need not exist); fragment and query are not looked at."""
        path = self._find_path(uri)
        if path is None:
            return None
        if match := _STATUS.fullmatch(path):
            return LocalStatus(name=match["name"], status_id=StatusId(int(match["id"])), part=match["part"])  # type: ignore[arg-type]
        if match := _ACTOR.fullmatch(path):
            return LocalActor(name=match["name"], part=match["part"])  # type: ignore[arg-type]
        if match := _ACTIVITY.fullmatch(path):
            return LocalActivity(name=match["name"], activity_id=match["token"])
        if match := _STAMP.fullmatch(path):
            return LocalQuoteAuthorization(name=match["name"], stamp_id=match["token"])
        if match := _CONTEXT.fullmatch(path):
            return LocalContext(context_id=match["token"])
        if match := _INSTANCE_ACTOR.fullmatch(path):
            return LocalInstanceActor(part=match["part"])  # type: ignore[arg-type]
        return None

    def find_username(self, uri: str) -> str | None:
        """The username, if the URI is exactly that of a local actor."""
        target = self.find_local(uri)
        if isinstance(target, LocalActor) and target.part is None and uri == self.actor(target.name):
            return target.name
        return None

    def find_status(self, uri: str) -> tuple[str, StatusId] | None:
        """Username and id, if the URI is exactly that of a local status."""
        target = self.find_local(uri)
        if isinstance(target, LocalStatus) and target.part is None and "#" not in uri and "?" not in uri:
            return target.name, target.status_id
        return None

    def find_followers_owner(self, uri: str) -> str | None:
        """The username, if the URI is that of a local actor's followers."""
        target = self.find_local(uri)
        return target.name if isinstance(target, LocalActor) and target.part == "followers" else None

    def find_page(self, url: str) -> LocalActor | LocalStatus | None:
        """What a profile or status page of ours shows: people paste these into the search box."""
        path = self._find_path(url)
        if path is None:
            return None
        if match := _PROFILE_PAGE.fullmatch(path):
            return LocalActor(name=match["name"])
        if match := _STATUS_PAGE.fullmatch(path):
            return LocalStatus(name=match["name"], status_id=StatusId(int(match["id"])))
        return None

    def find_tag(self, url: str) -> str | None:
        """The tag, without ``#``, that a tag page of ours shows."""
        path = self._find_path(url)
        if path is None or not path.startswith("/tags/"):
            return None
        return unquote(path.removeprefix("/tags/")) or None

    def _find_path(self, uri: str) -> str | None:
        if not self.is_local(uri):
            return None
        return uri[len(self.origin) :].partition("#")[0].partition("?")[0]
