"""One module per activity: facts in, effects out. Pure: no clock, no database, no network.

What a handler may not do it says by raising :class:`fedi.errors.PeerFault`; what is nothing to us it returns as
:class:`fedi.inbox.outcome.Ignored`.
"""
