"""Everything a local account does that others hear of: one method for each act, each one transaction.

Raises :class:`fedi.errors.ClientFault` with a sentence for people. What is private (bookmarks, lists, markers) never
comes here.
"""

from fedi.outbox.interactions import InteractionActs
from fedi.outbox.posts import PostActs
from fedi.outbox.profile import ProfileActs
from fedi.outbox.quotes import QuoteActs
from fedi.outbox.relations import RelationActs
from fedi.outbox.relays import RelayActs


class Outbox(PostActs, InteractionActs, RelationActs, ProfileActs, QuoteActs, RelayActs):
    """Made once, with :class:`fedi.outbox.tools.Tools`."""
