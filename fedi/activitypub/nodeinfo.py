"""NodeInfo 2.0 and 2.1: what this server is (FEP-0151, FEP-f1d5; the link to the server's actor is FEP-2677)."""

from dataclasses import dataclass
from typing import Any, Literal

from fedi.activitypub.uris import LocalUris

SCHEMA = "http://nodeinfo.diaspora.software/ns/schema"
APPLICATION_REL = "https://www.w3.org/ns/activitystreams#Application"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """People and posts here; active within a month and half a year."""

    people: int
    posts: int
    active_month: int
    active_half_year: int


def render_nodeinfo_links(uris: LocalUris) -> dict[str, Any]:
    return {
        "links": [
            *(
                {"rel": f"{SCHEMA}/{version}", "href": f"{uris.origin}/nodeinfo/{version}"}
                for version in ("2.0", "2.1")
            ),
            {"rel": APPLICATION_REL, "href": uris.instance_actor},
        ]
    }


def render_nodeinfo(
    version: Literal["2.0", "2.1"],
    *,
    software_version: str,
    usage: Usage,
    name: str,
    description: str,
    staff: tuple[str, ...],
    policies: tuple[dict[str, Any], ...],
    open_registrations: bool = False,
) -> dict[str, Any]:
    """``staff`` are URIs of accounts; ``policies`` describe themselves."""
    return {
        "version": version,
        "software": {"name": "fedi", "version": software_version},
        "protocols": ["activitypub"],
        "services": {"inbound": [], "outbound": []},
        "openRegistrations": open_registrations,
        "usage": {
            "users": {
                "total": usage.people,
                "activeMonth": usage.active_month,
                "activeHalfyear": usage.active_half_year,
            },
            "localPosts": usage.posts,
        },
        "metadata": {
            "nodeName": name,
            "nodeDescription": description,
            "staffAccounts": list(staff),
            "federation": {"enabled": True},
            "fedi": {"policies": list(policies)},
        },
    }
