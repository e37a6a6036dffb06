"""The authority gate, case by case: each sent over HTTP to a running instance, the database compared before and after.

The cases name hosts of the outer world; here each is a server on loopback, and ``https://a.example`` is replaced by
its address wherever it stands. ``poll-vote-in-list`` votes in a poll of ours that its state forgets; it is made here.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fedi.activitypub.keys import SigningKey
from fedi.inbox.actors import put_actor
from fedi.ledger.decisions import Decisions
from fedi.model.accounts import Account
from fedi.model.polls import Poll, PollOption
from fedi.outbox.draft import Draft
from fedi.store import polls, relations
from tests.support.node import Node, open_node
from tests.support.peers import CONTEXT, FakePeer, PeerActor

FILE = json.loads((Path(__file__).parents[1] / "data/federation/must-reject/authority.json").read_text())
CASES = {case["name"]: case for case in FILE["cases"]}
HOSTS = ("a", "evil", "group", "gone", "new", "new2", "third", "blocked")
# What of the outer world a case needs stored before it, beyond its state.
STORED_FIRST = {"delete-forwarded-still-there": ["/notes/7"], "delete-forwarded-gone": ["/notes/10"]}
DAY_MS = 86_400_000


@dataclass
class World:
    """The state of the file, as a running instance and its peers."""

    node: Node
    peers: dict[str, FakePeer]
    actors: dict[str, PeerActor]  # by the id they have in the file
    lena: Account
    local: dict[str, str]  # ids in the file to those that our own objects have

    def here(self, value: Any) -> Any:
        """A value of the file, in this world's addresses."""
        text = json.dumps(value)
        for old, new in sorted(self.local.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(f'"{old}"', f'"{new}"')
        text = text.replace("https://BLOCKED.example.", self._blocked())
        text = text.replace("https://a.example@evil.example", "http://a.localhost@" + self.peers["evil"].host)
        text = text.replace("https://sub.blocked.example", "http://sub." + self.peers["blocked"].host)
        for name, peer in self.peers.items():
            text = text.replace(f"https://{name}.example", peer.origin)
        return json.loads(text.replace("https://local.example", self.node.origin))

    def _blocked(self) -> str:
        return self.peers["blocked"].origin.replace("blocked.localhost", "BLOCKED.localhost.")

    def fetches(self) -> int:
        return sum(len(peer.fetched) for peer in self.peers.values())


@asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(open_node(folder))
        peers = {}
        for name in HOSTS:
            peers[name] = await FakePeer.start(name)
            stack.push_async_callback(peers[name].stop)
        world = World(node=node, peers=peers, actors={}, lena=await node.add_person("lena"), local={})
        _add_actors(world)
        _add_documents(world)
        await _add_local_objects(world)
        await _add_remote_objects(world)
        await _decide(world)
        for peer in peers.values():
            peer.fetched.clear()
        yield world


def _add_actors(world: World) -> None:
    for host, name, kind in [
        ("a", "alice", "Person"),
        ("a", "zoe", "Person"),
        ("a", "banned", "Person"),
        ("evil", "m", "Person"),
        ("gone", "x", "Person"),
        ("blocked", "x", "Person"),
        ("group", "talk", "Group"),
    ]:
        peer = world.peers[host]
        uri = f"https://{host}.example/users/{name}" if kind == "Person" else f"https://{host}.example/c/{name}"
        featured = f"{peer.origin}/users/{name}/featured"
        world.actors[uri] = peer.add_actor(name, type=kind, featured=featured)
        world.local[uri] = world.actors[uri].id
    shouted = replace(world.actors["https://blocked.example/users/x"])
    shouted.id = world._blocked() + "/users/x"
    shouted.rsa = SigningKey(id=f"{shouted.id}#main-key", kind="rsa", key=shouted.rsa.key)
    world.actors["https://BLOCKED.example./users/x"] = shouted


def _add_documents(world: World) -> None:
    for url, answer in FILE["remote"].items():
        host, _, path = url.removeprefix("https://").partition("/")
        peer = world.peers[host.removesuffix(".example")]
        if "json" not in answer:
            peer.answer(f"/{path}", status=answer["status"])
            continue
        document = {"@context": CONTEXT, **world.here(answer["json"])}
        if path.startswith("users/"):
            document["publicKey"] = {"id": f"{document['id']}#k", "owner": document["id"], "publicKeyPem": "-"}
        body, headers = json.dumps(document).encode(), {"Content-Type": answer["content_type"]}
        peer.answer(f"/{path}", status=answer["status"], body=body, headers=headers)


async def _add_local_objects(world: World) -> None:
    outbox, db, now = world.node.instance.outbox, world.node.instance.database, world.node.clock.ms()
    numbers = {
        "https://local.example/notes/1": await outbox.post(world.lena.id, Draft(text="one")),
        "https://local.example/notes/2": await outbox.post(world.lena.id, Draft(text="two", visibility="private")),
        "https://local.example/notes/3": await outbox.post(world.lena.id, Draft(text="three")),
        "https://local.example/polls/1": await outbox.post(world.lena.id, Draft(text="which?")),
    }
    poll = numbers["https://local.example/polls/1"]
    options = (PollOption(title="x"), PollOption(title="y"))
    quoted = world.here("https://a.example/notes/1")

    async def unit(tx):
        await polls.put_poll(tx, Poll(id=poll, multiple=True, expires_at=now + DAY_MS, options=options))
        await tx.run(
            "UPDATE status SET quote_uri = :uri, quote_state = 'pending' WHERE id = :id",
            uri=quoted, id=numbers["https://local.example/notes/3"],
        )  # fmt: skip

    await db.write("test", unit)
    for old, number in numbers.items():
        world.local[old] = world.node.instance.uris.status("lena", number)
    world.local["https://local.example/users/lena"] = world.lena.uri


async def _add_remote_objects(world: World) -> None:
    node, now = world.node, world.node.clock.ms()
    known = [*FILE["state"]["known_actors"], "https://a.example/users/banned"]

    async def store(uri: str) -> int:
        resolved = await node.instance.resolver.fetch_actor(world.actors[uri].id)
        account = await node.instance.database.write(
            "test", lambda tx: put_actor(tx, resolved, ids=node.instance.ids, now_ms=now)
        )
        return account.id

    ids = {uri: await store(uri) for uri in known}
    alice = world.actors["https://a.example/users/alice"]
    for path, kind in [("/notes/1", "Note"), ("/polls/1", "Question"), ("/notes/7", "Note"), ("/notes/10", "Note")]:
        post = {
            "id": alice.document["id"].removesuffix("/users/alice") + path,
            "type": kind,
            "attributedTo": alice.id,
            "content": "as stored",
            "to": ["as:Public"],
            "published": "2026-03-01T11:00:00Z",
            "updated": "2026-03-01T11:30:00Z",
        }
        if kind == "Question":
            post["oneOf"] = [{"type": "Note", "name": "x"}]
        world.local[f"later:{path}"] = json.dumps(post)
        if path in {"/notes/1", "/polls/1"}:
            await deliver(world, alice, {"id": post["id"] + "#create", "type": "Create", "object": post})
    likes = {"id": "https://a.example/likes/1", "type": "Like", "object": "https://local.example/notes/1"}
    follows = {"id": "https://a.example/follows/1", "type": "Follow", "object": "https://local.example/users/lena"}
    for activity in (likes, follows):
        await deliver(world, alice, world.here(activity))
    for uri, follow in FILE["state"]["outgoing_follows"].items():
        state = "requested" if follow["state"] == "pending" else "accepted"
        facts = {"target": ids[follow["object"]], "state": state, "uri": world.here(uri)}
        await node.instance.database.write(
            "test", lambda tx, facts=facts: relations.put_follow(tx, follower=world.lena.id, now_ms=now, **facts)
        )


async def _decide(world: World) -> None:
    decisions: Decisions = world.node.instance.decisions
    now = world.node.clock.ms()
    common = {"rule": "rules/1", "reason": "test", "until_ms": now + DAY_MS, "by_role": "mod:test", "now_ms": now}
    subjects = [("refuse", "blocked.localhost"), ("suspend", world.actors["https://a.example/users/banned"].id)]
    for effect, subject in subjects:
        await world.node.instance.database.write(
            "test", lambda tx, e=effect, s=subject: decisions.decide(tx, effect=e, subject=s, **common)
        )


async def deliver(world: World, signer: PeerActor, activity: dict[str, Any]) -> int:
    body = {"@context": CONTEXT, "actor": signer.id, **activity}
    status, _, _ = await world.peers["a"].post(world.node.inbox, body, signer)
    await world.node.settle()
    return status


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path / "node") as made:
        yield made


async def test_every_case_has_exactly_its_effect(tmp_path: Path):
    # One world for each case, so that none stands on the shoulders of another; checked together to say all at once.
    wrong = {}
    for name, case in CASES.items():
        async with a_world(tmp_path / name) as world:
            fault = await _check(world, case)
        if fault:
            wrong[name] = fault
    assert wrong == {}
    assert len(CASES) == 57


async def _check(world: World, case: dict[str, Any]) -> str | None:
    alice = world.actors["https://a.example/users/alice"]
    for path in STORED_FIRST.get(case["name"], []):
        post = json.loads(world.local[f"later:{path}"])
        await deliver(world, alice, {"id": post["id"] + "#create", "type": "Create", "object": post})
    if case["name"] == "same-id-twice":
        await deliver(world, alice, world.here(CASES["create-own"]["activity"]))
    for peer in world.peers.values():
        peer.fetched.clear()
    before = await world.node.snapshot()
    status = await deliver(world, world.actors[case["signer"]], world.here(case["activity"]))
    after = await world.node.snapshot()
    changed = sorted(table for table in before if before[table] != after[table])
    outcomes = await world.node.rows("SELECT activity, outcome FROM intake WHERE activity = :id",
                                     id=world.here(case["activity"])["id"])  # fmt: skip
    if "fetches" in case and world.fetches() > case["fetches"]:
        return f"{world.fetches()} fetches"
    match case["expect"]:
        case "apply":
            if status != 202 or not changed:
                return f"status {status}, changed {changed}, {outcomes}"
        case "refuse":
            if changed or (status != 202 and not 400 <= status < 500):
                return f"status {status}, changed {changed}, {outcomes}"
        case "ignore":
            if changed or status != 202 or any("faulty" in outcome for _, outcome in outcomes):
                return f"status {status}, changed {changed}, {outcomes}"
        case "dereference":
            if status != 202:
                return f"status {status}"
    return await _check_outcome(world, case, changed)


async def _check_outcome(world: World, case: dict[str, Any], changed: list[str]) -> str | None:
    stored = await world.node.status(world.here("https://a.example/notes/7"))
    if case["name"] == "create-signer-is-other":
        return None if not changed else f"changed {changed}"
    match case.get("outcome"):
        case "content from origin" | "content from https://a.example/notes/7":
            return None if stored is not None and stored.content == "hello" else f"stored {stored}"
        case "kept":
            return None if stored is not None and stored.deleted_at is None and not changed else f"changed {changed}"
        case "deleted":
            found = await world.node.status(world.here("https://a.example/notes/10"))
            return None if found is not None and found.deleted_at is not None else f"stored {found}"
        case "attributed to https://evil.example/users/m":
            found = await world.node.status(world.here("https://evil.example/viaurl"))
            owner = await world.node.value("SELECT uri FROM account WHERE id = :id", id=found.account)
            return None if owner == world.actors["https://evil.example/users/m"].id else f"owner {owner}"
    if "quote_state" in case:
        found = await world.node.status(world.here("https://evil.example/q/1"))
        is_accepted = found is not None and found.quote_state == "accepted"
        return None if is_accepted == (case["quote_state"] == "accepted") else f"stored {found}"
    return None
