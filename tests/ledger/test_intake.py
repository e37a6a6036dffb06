"""What is kept of an accepted activity, and for how long."""

import hashlib

from fedi.ledger import intake

DAY_MS = 24 * 3600 * 1000


async def test_bodies_are_forgotten_after_a_month_and_what_was_seen_stays_seen(db, clock):
    async def accept(tx, name: str) -> bytes:
        data = name.encode()
        body_hash = hashlib.sha256(data).digest()
        await intake.open_intake(tx, activity=name, object_uri=None, body_hash=body_hash, now_ms=clock.ms())
        await intake.put_body(tx, body_hash, data, clock.ms())
        return body_hash

    old = await db.write("accept", lambda tx: accept(tx, "https://a.example/1"))
    clock.advance(days=20)
    young = await db.write("accept", lambda tx: accept(tx, "https://a.example/2"))
    clock.advance(days=11)
    await intake.forget_bodies(db, clock.ms())
    assert await db.read(lambda tx: intake.find_body(tx, old)) is None
    assert await db.read(lambda tx: intake.find_body(tx, young)) == b"https://a.example/2"
    assert await db.read(lambda tx: intake.find_intake(tx, "https://a.example/1")) is not None
