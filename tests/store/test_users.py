"""People who sign in, on both engines."""

import pytest

from fedi.model.users import LocalUser, UserSettings
from fedi.store import accounts, users
from fedi.store.database import UniqueViolation
from tests.support.rows import NOW_MS, an_account, put_account


async def enrol(db, name, **rest):
    account = await db.write("test", lambda tx: accounts.put_account(tx, an_account(name)))
    user = LocalUser(account=account.id, created_at=NOW_MS, **rest)
    await db.write("test", lambda tx: users.put_user(tx, user))
    return user


async def test_a_person_is_found_by_every_name_they_may_type(db):
    ana = await enrol(db, "Ana", email="ana@mail.example", password_hash="$argon2", role="owner")
    for name in ("ana", "ANA", "@ana", "Ana@Mail.example", " ana@mail.example "):
        assert await db.read(lambda tx, name=name: users.find_by_login(tx, name)) == ana
    assert await db.read(lambda tx: users.find_user(tx, ana.account)) == ana
    assert await db.read(lambda tx: users.find_by_login(tx, "nobody")) is None
    assert "argon" not in repr(ana) and "mail" not in repr(ana)


async def test_two_spellings_of_an_address_are_one(db):
    await enrol(db, "ana", email="ana@mail.example")
    with pytest.raises(UniqueViolation):
        await enrol(db, "ben", email="ANA@mail.example")


async def test_people_without_an_address_may_be_many(db):
    await enrol(db, "ana")
    await enrol(db, "ben")
    assert len(await db.read(users.list_users)) == 2


async def test_what_a_person_changes_stays(db):
    ana = await enrol(db, "ana", email="ana@mail.example")
    settings = UserSettings(visibility="private", sensitive=True, language="fr")

    async def unit(tx):
        await users.set_settings(tx, ana.account, settings)
        await users.set_locale(tx, ana.account, "ar")
        await users.set_role(tx, ana.account, "moderator")
        await users.set_password_hash(tx, ana.account, "new")
        return await users.confirm(tx, ana.account, NOW_MS), await users.confirm(tx, ana.account, NOW_MS + 1)

    assert await db.write("test", unit) == (True, False)
    now = await db.read(lambda tx: users.find_by_username(tx, "ana"))
    assert (now.settings, now.locale, now.role, now.password_hash, now.confirmed_at) == (
        settings, "ar", "moderator", "new", NOW_MS,
    )  # fmt: skip
    assert [user.account for user in await db.read(lambda tx: users.list_by_roles(tx, "owner", "moderator"))] == [
        ana.account
    ]
    await db.write("test", lambda tx: users.set_email(tx, ana.account, "New@mail.example"))
    now = await db.read(lambda tx: users.find_by_email(tx, "new@mail.example"))
    assert now.confirmed_at is None
    await db.write("test", lambda tx: users.drop_user(tx, ana.account))
    assert await db.read(lambda tx: users.find_user(tx, ana.account)) is None


async def test_a_remote_namesake_is_nobody_here(db):
    await put_account(db, "ana", "there.example")
    assert await db.read(lambda tx: users.find_by_username(tx, "ana")) is None
