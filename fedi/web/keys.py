"""What ``app.py`` hands to the web: one typed key per object. A handler asks ``request.app[KEY]``."""

from aiohttp import web

from fedi.activitypub.uris import LocalUris
from fedi.auth.grants import Grants
from fedi.auth.passwords import Passwords
from fedi.auth.sessions import Sessions
from fedi.auth.tokens import Tokens
from fedi.clock import Clock
from fedi.config import Config
from fedi.ids import IdMaker
from fedi.store.database import Database
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
