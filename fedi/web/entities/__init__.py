"""The only encoder of client JSON: domain values become the bytes that apps of the Mastodon API read.

``reader.Entities`` is the door for handlers; the modules beside it each know one entity.
"""
