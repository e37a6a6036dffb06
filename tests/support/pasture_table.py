"""What an instance makes of the 262 objects of fediverse-pasture-inputs, as the table ``docs/reference/pasture.md``.

    python -m tests.support.pasture_table       # writes it anew

Each object is delivered in a signed Create over HTTP, as its author would; what became of it is read through the
client API, or is the code of its refusal. Nothing in the table depends on time, ports or keys.
"""

import asyncio
import json
import re
import sqlite3
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.instances import Instance, Person, eventually
from tests.support.pasture import load_inputs
from tests.support.peers import PUBLIC, FakePeer, PeerActor

TABLE = Path(__file__).parents[2] / "docs" / "reference" / "pasture.md"
SENDER = "http://pasture-one-actor"  # as the inputs call it
AS2 = "https://www.w3.org/ns/activitystreams"
MOST_CHARACTERS = 300

HEAD = """\
# What becomes of foreign posts
The inputs of [fediverse-pasture-inputs](https://pypi.org/project/fediverse-pasture-inputs/) 0.3.0 (MIT) are objects of
every shape that servers are known to send. Each is delivered here in a signed `Create` by an account that somebody
follows. *Shown* is what apps get: the HTML of the post, and whatever else is not as in a plain post. What is not
stored was refused with the code given, before the 202 (with its HTTP status) or after it.

Written by `python -m tests.support.pasture_table`; `tests/e2e/test_pasture.py` compares.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One object: as sent, the status of the answer, the outcome's name, and the post apps see if there is one."""

    group: str
    sent: Mapping[str, Any]
    http_status: int
    outcome: str
    shown: Mapping[str, Any] | None


async def run_pasture(folder: Path) -> list[Row]:
    """Delivers all inputs to a new instance in ``folder``."""
    instance = await Instance.create(folder / "home", "home.localhost")
    peer = await FakePeer.start("pasture")
    try:
        alice = await instance.add_person("alice")
        rows = await _Run(instance, peer, alice).deliver_all()
    finally:
        await peer.stop()
        await instance.close()
    return rows


class _Run:
    def __init__(self, instance: Instance, peer: FakePeer, alice: Person) -> None:
        self.instance, self.peer, self.alice = instance, peer, alice
        self.author = peer.add_actor("actor")
        second = peer.add_actor("second")
        self.names = {f"{SENDER}/actor": self.author.id, f"{SENDER}/second": second.id}
        for number in (1, 2):
            self._serve_note(self.author, number)

    def _serve_note(self, author: PeerActor, number: int) -> None:
        note = self.peer.note(author, f"Note {number}", number=900 + number)
        path = f"/assets/note{number}.jsonap"
        self.peer.put(path, {**note, "id": self.peer.origin + path, "url": self.peer.origin + path})

    async def deliver_all(self) -> list[Row]:
        account = await self.alice.follow(f"actor@{self.peer.host}")
        (follow,) = await self.peer.until_received(1)
        accept = self.peer.activity("Accept", self.author, follow.activity)
        await self.peer.post(f"{self.instance.origin}/inbox", accept, self.author)

        async def is_following() -> bool:
            return (await self.alice.relationship(account["id"]))["following"]

        await eventually(is_following)
        sent = []
        number = 0
        for data in load_inputs().values():
            for example in data.examples:
                number += 1
                sent.append((data.title, example, number, await self._deliver(example, number)))
        await eventually(self._is_done, 60)
        outcomes = self._outcomes()
        return [
            Row(
                group=title,
                sent=example,
                http_status=status,
                outcome=code if status != 202 else outcomes.get(self._activity(number), "none"),
                shown=await self._find(number) if status == 202 else None,
            )
            for title, example, number, (status, code) in sent
        ]

    def _activity(self, number: int) -> str:
        return f"{self.author.id}/activities/{number}"

    def _object(self, number: int) -> str:
        return f"{self.author.id}/statuses/{number}"

    async def _deliver(self, example: Mapping[str, Any], number: int) -> tuple[int, str]:
        """Status and, unless it is 202, problem code of the answer."""
        value = {
            "id": self._object(number),
            "type": "Note",
            "attributedTo": self.author.id,
            "to": [PUBLIC],
            "cc": [self.author.followers],
            "published": "2026-01-01T00:00:00Z",
            **self._here(example),
        }
        value = {key: item for key, item in value.items() if item is not None}
        context = value.pop("@context", AS2 if "@context" not in example else None)
        activity = {
            "@context": context,
            "id": self._activity(number),
            "type": "Create",
            "actor": self.author.id,
            "to": value["to"],
            "cc": value["cc"],
            "object": value,
        }
        activity = {key: item for key, item in activity.items() if item is not None}
        self.peer.put(f"/users/actor/statuses/{number}", {"@context": context or AS2, **value})
        status, _, body = await self.peer.post(f"{self.instance.origin}/inbox", activity, self.author)
        return status, "" if status == 202 else json.loads(body)["code"]

    def _here(self, example: Mapping[str, Any]) -> dict[str, Any]:
        """The example with the sender's address where it says its placeholder."""
        text = json.dumps(example)
        for name, uri in self.names.items():
            text = re.sub(re.escape(name) + r'(?=["\\])', uri, text)
        here: dict[str, Any] = json.loads(text.replace(SENDER, self.peer.origin))
        return here

    def _is_done(self) -> bool:
        return all(outcome is not None for outcome in self._outcomes().values())

    def _outcomes(self) -> dict[str, str]:
        """The outcome of each accepted activity; no door of the server tells it to strangers."""
        db = sqlite3.connect(f"file:{self.instance.folder / 'fedi.db'}?mode=ro", uri=True)
        try:
            return dict(db.execute("SELECT activity, outcome FROM intake").fetchall())
        finally:
            db.close()

    async def _find(self, number: int) -> Mapping[str, Any] | None:
        found = (await self.alice.get("/api/v2/search", q=self._object(number)))["statuses"]
        return self._without_places(found[0]) if found else None

    def _without_places(self, status: Mapping[str, Any]) -> Mapping[str, Any]:
        """As if everybody lived at a fixed address."""
        text = json.dumps(status)
        for name, uri in self.names.items():
            text = text.replace(uri, name)
        text = text.replace(self.peer.origin, SENDER).replace(self.peer.host, "pasture-one-actor")
        text = text.replace(self.instance.origin, "https://fedi.example").replace(self.instance.domain, "fedi.example")
        changed: Mapping[str, Any] = json.loads(text)
        return changed


# The table ---------------------------------------------------------------------------------------------------


def render_table(rows: list[Row]) -> str:
    lines = [HEAD, *_summary(rows)]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines += ["", f"## {group}", "", "| Sent | Shown |", "|---|---|"]
        lines.append(f"| {_code(json.dumps(row.sent, ensure_ascii=False))} | {_result(row)} |")
    return "\n".join(lines) + "\n"


def _summary(rows: list[Row]) -> list[str]:
    shown = sum(row.shown is not None for row in rows)
    return [f"Of {len(rows)} objects {shown} are shown and {len(rows) - shown} refused."]


def _result(row: Row) -> str:
    if row.shown is None:
        where = f"{row.http_status} " if row.http_status != 202 else ""
        return f"**{where}{row.outcome}**"
    return "<br>".join(_told(row.shown))


def _told(status: Mapping[str, Any]) -> list[str]:
    """The content, then whatever is not as in a plain post."""
    told = [_code(status["content"]) if status["content"] else "(no text)"]
    if status["spoiler_text"]:
        told.append(f"warning {_code(status['spoiler_text'])}")
    elif status["sensitive"]:
        told.append("sensitive")
    if status["language"]:
        told.append(f"language {status['language']}")
    if status["visibility"] != "public":
        told.append(status["visibility"])
    told += [_attachment(one) for one in status["media_attachments"]]
    if status["tags"]:
        told.append("tags " + ", ".join(tag["name"] for tag in status["tags"]))
    if status["mentions"]:
        told.append("mentions " + ", ".join(one["acct"] for one in status["mentions"]))
    if status["poll"]:
        told.append("poll " + ", ".join(option["title"] for option in status["poll"]["options"]))
    if status["in_reply_to_id"]:
        told.append("a reply")
    if status["quote"]:
        told.append(f"a quote, {status['quote']['state']}")
    if status["url"] != status["uri"]:
        told.append(f"at {_code(status['url'])}")
    return told


def _attachment(one: Mapping[str, Any]) -> str:
    where = _code(one["remote_url"]) if one["remote_url"] else ""
    return f"{one['type']} {where}" + (f" {_code(one['description'])}" if one["description"] else "")


def _code(text: str) -> str:
    """Inside a table cell: one line, pipes escaped, fenced by more backticks than it holds."""
    short = text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…"
    longest = max((len(run) for run in re.findall("`+", short)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest or short != short.strip() else ""
    line = short.replace("\n", "⏎").replace("|", "\\|")
    return f"{fence}{pad}{line}{pad}{fence}"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(run_pasture(Path(folder)))
    TABLE.write_text(render_table(rows), encoding="utf-8")
    print(f"{TABLE}: {_summary(rows)[0]}")


if __name__ == "__main__":
    main()
