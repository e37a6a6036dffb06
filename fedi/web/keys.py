"""What ``app.py`` hands to the web: one typed key per object. A handler asks ``request.app[KEY]``."""

from aiohttp import web

from fedi.activitypub.uris import LocalUris
from fedi.auth.grants import Grants
from fedi.auth.passwords import Passwords
from fedi.auth.sessions import Sessions
from fedi.auth.tokens import Tokens
from fedi.clock import Clock
from fedi.config import Config
from fedi.feeds.page import Feeds
from fedi.ids import IdMaker
from fedi.inbox.receive import Inbox
from fedi.inbox.threads import Threads
from fedi.ledger.decisions import Decisions
from fedi.media.files import Files
from fedi.media.remote_copies import RemoteCopies
from fedi.media.uploads import Uploads
from fedi.outbox.outbox import Outbox
from fedi.store.database import Database
from fedi.streaming.hub import Hub
from fedi.web.entities.media import MediaUrls
from fedi.web.entities.reader import Entities
from fedi.web.limits import Limits

CONFIG = web.AppKey("config", Config)
CLOCK = web.AppKey("clock", Clock)
IDS = web.AppKey("ids", IdMaker)
URIS = web.AppKey("uris", LocalUris)
DATABASE = web.AppKey("database", Database)

PASSWORDS = web.AppKey("passwords", Passwords)
TOKENS = web.AppKey("tokens", Tokens)
GRANTS = web.AppKey("grants", Grants)
SESSIONS = web.AppKey("sessions", Sessions)
LIMITS = web.AppKey("limits", Limits)

FEEDS = web.AppKey("feeds", Feeds)
DECISIONS = web.AppKey("decisions", Decisions)
MEDIA_URLS = web.AppKey("media_urls", MediaUrls)
ENTITIES = web.AppKey("entities", Entities)
HUB = web.AppKey("hub", Hub)

FILES = web.AppKey("files", Files)
UPLOADS = web.AppKey("uploads", Uploads)
REMOTE_COPIES = web.AppKey("remote_copies", RemoteCopies)
OUTBOX = web.AppKey("outbox", Outbox)

INBOX = web.AppKey("inbox", Inbox)
THREADS = web.AppKey("threads", Threads)
