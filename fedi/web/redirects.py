"""Redirects that keep the target as it is: the framework's own would parse and rewrite it."""

from aiohttp import web
from aiohttp.web import HTTPSeeOther


def redirect(location: str) -> HTTPSeeOther:
    """303, to be raised or copied: the browser goes there with GET, whatever brought it here.

    ``location`` is sent byte for byte: apps register URIs such as ``com.example.app:/callback`` and compare them.
    """
    found = web.HTTPSeeOther("/")
    found.headers["Location"] = location
    return found
