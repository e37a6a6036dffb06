"""Activities in the shapes that each software really sends, and what each of them changes here.

A file holds ``activity``, what was delivered ``before`` it, the ``documents`` and extra ``actors`` of its server, who
signs it, and what to ``expect``. ``{peer}``, ``{local}``, ``{lena}``, ``{note}``, ``{poll}``, ``{follow}`` stand for
addresses of the run, ``{now}`` for its time.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fedi.clock import wire_time
from fedi.model.polls import Poll, PollOption
from fedi.outbox.draft import Draft
from fedi.store import accounts, polls, relations
from tests.support.node import Node
from tests.support.peers import FakePeer

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*/*.json"))


def filled(value: Any, places: dict[str, str]) -> Any:
    text = json.dumps(value)
    for name, address in places.items():
        text = text.replace("{" + name + "}", address)
    return json.loads(text)


async def set_up(node: Node, peer: FakePeer, case: dict[str, Any]) -> dict[str, str]:
    lena = await node.add_person("lena")
    outbox, db = node.instance.outbox, node.instance.database
    note = await outbox.post(lena.id, Draft(text="A note of ours"))
    poll = await outbox.post(lena.id, Draft(text="A question of ours"))
    options = (PollOption(title="red"), PollOption(title="blue"))
    ends = node.clock.ms() + 86_400_000
    await db.write(
        "test", lambda tx: polls.put_poll(tx, Poll(id=poll, multiple=True, expires_at=ends, options=options))
    )  # fmt: skip
    alice = peer.add_actor("alice", featured=f"{peer.origin}/users/alice/collections/featured")
    for name, changes in case.get("actors", {}).items():
        peer.add_actor(name, **changes)
    if case.get("group"):
        add_group(peer)
    uris = node.instance.uris
    places = {
        "peer": peer.origin,
        "local": node.origin,
        "lena": lena.uri,
        "note": uris.status("lena", note),
        "poll": uris.status("lena", poll),
        "follow": f"{lena.uri}/activities/follow-1",
        "now": wire_time(node.clock.ms()),
        "key": f"{alice.id}#main-key",
    }
    for path, document in case.get("documents", {}).items():
        peer.put(path, filled(document, places))
    if case.get("follow_out"):
        await follow_out(node, lena.id, alice.id, places["follow"])
    return places


def add_group(peer: FakePeer) -> None:
    """A community as Lemmy names it: ``/c/talk``."""
    made = peer.add_actor("talk")
    uri = f"{peer.origin}/c/talk"
    text = json.dumps(made.document).replace(made.id, uri).replace('"Person"', '"Group"')
    made.document.clear()
    made.document.update(json.loads(text))
    made.id, made.rsa = uri, replace(made.rsa, id=f"{uri}#main-key")
    peer.put("/c/talk", made.document)


async def follow_out(node: Node, follower: int, target_uri: str, uri: str) -> None:
    """A follow of ours that waits for an answer."""
    found = await node.instance.lookups.find_by_url(target_uri)
    assert found.account is not None
    now = node.clock.ms()
    await node.instance.database.write(
        "test",
        lambda tx: relations.put_follow(
            tx, follower=follower, target=found.account, state="requested", uri=uri, now_ms=now
        ),
    )


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}-{path.stem}" for path in FILES])
async def test_what_other_software_sends_has_its_effect(path: Path, node: Node, peer: FakePeer):
    case = json.loads(path.read_text())
    places = await set_up(node, peer, case)
    signer = peer.actors[case.get("signer", "alice")]
    for earlier in case.get("before", []):
        by = peer.actors["alice"]
        assert (await peer.post(node.inbox, filled(earlier, places), by))[0] == 202
        await node.settle("inbox")
    activity = filled(case["activity"], places)
    status, _, body = await peer.post(node.inbox, activity, signer)
    assert status == case.get("answer", 202), body
    await node.settle("inbox")
    expected = filled(case["expect"], places)
    assert await seen(node, activity["id"], expected) == expected


async def seen(node: Node, activity: str, expected: dict[str, Any]) -> dict[str, Any]:
    """The same things of this world as ``expected`` names."""
    return {key: await _SEEN[key](node, activity, expected) for key in expected}


async def _statuses(node, _, expected):
    found = {}
    for uri, fields in expected["statuses"].items():
        status = await node.status(uri)
        assert status is not None, f"{uri} is not stored"
        found[uri] = {name: _plain(name, getattr(status, name)) for name in fields}
    return found


def _plain(name, value):
    if name == "emojis":
        return [[emoji.shortcode, emoji.url] for emoji in value]
    if name == "mentions":
        return [mention.acct for mention in value]
    return list(value) if isinstance(value, tuple) else value


async def _accounts(node, _, expected):
    found = {}
    for uri, fields in expected["accounts"].items():
        account = await node.instance.database.read(lambda tx, uri=uri: accounts.find_by_uri(tx, uri))
        found[uri] = {name: getattr(account, name) for name in fields}
    return found


async def _outcome(node, activity, _):
    return await node.value("SELECT outcome FROM intake WHERE activity = :id", id=activity)


async def _deleted(node, _, __):
    return [row[0] for row in await node.rows("SELECT uri FROM status WHERE deleted_at IS NOT NULL AND local = 0")]


async def _missing(node, _, expected):
    return [uri for uri in expected["missing"] if await node.status(uri) is None]


async def _polls(node, _, __):
    rows = await node.rows(
        "SELECT p.multiple, p.voters, p.options FROM poll p JOIN status s ON s.id = p.id WHERE s.local = 0"
    )
    return [
        [bool(multiple), voters, [[option["title"], option["votes"]] for option in json.loads(options)]]
        for multiple, voters, options in rows
    ]


async def _reports(node, _, __):
    rows = await node.rows("SELECT a.uri, r.statuses, r.comment FROM report r JOIN account a ON a.id = r.target")
    return [[uri, json.loads(statuses), comment] for uri, statuses, comment in rows]


def _query(sql, *, scalar=False):
    async def ask(node, _, __):
        rows = await node.rows(sql)
        if scalar:
            return rows[0][0]
        return [row[0] if len(row) == 1 else list(row) for row in rows]

    return ask


_SEEN = {
    "statuses": _statuses,
    "accounts": _accounts,
    "outcome": _outcome,
    "deleted": _deleted,
    "missing": _missing,
    "polls": _polls,
    "reports": _reports,
    "gone": _query("SELECT uri FROM account WHERE gone_at IS NOT NULL"),
    "edits": _query("SELECT content FROM status_edit"),
    "media": _query("SELECT kind, remote_url, description FROM media ORDER BY position"),
    "media_kinds": _query("SELECT kind FROM media ORDER BY position"),
    "notifications": _query("SELECT kind FROM notification ORDER BY id"),
    "favourites": _query("SELECT count(*) FROM favourite", scalar=True),
    "reactions": _query("SELECT emoji FROM reaction"),
    "blocks": _query("SELECT count(*) FROM block", scalar=True),
    "votes": _query("SELECT choice FROM poll_vote ORDER BY choice"),
    "stamps": _query("SELECT object FROM quote_stamp"),
    "outgoing": _query("SELECT kind FROM outgoing WHERE kind <> 'Create' ORDER BY kind"),
    "places_gone": _query("SELECT gone FROM object WHERE gone IS NOT NULL"),
    "pins": _query("SELECT s.uri FROM pin p JOIN status s ON s.id = p.status"),
    "follows": _query(
        "SELECT a.uri, b.uri, f.state FROM follow f JOIN account a ON a.id = f.follower JOIN account b ON b.id = f.target"
    ),
    "boosts": _query(
        "SELECT t.uri FROM status s JOIN status t ON t.id = s.reblog_of WHERE s.deleted_at IS NULL AND s.local = 0"
    ),
    "surfaces": _query(
        "SELECT h.name FROM slot s JOIN surface_head h ON h.surface = s.surface JOIN object o ON o.n = s.object "
        "JOIN status t ON t.id = o.n WHERE t.local = 0 ORDER BY CASE h.kind WHEN 'public' THEN 0 WHEN 'tag' THEN 1 ELSE 2 END"
    ),
}
