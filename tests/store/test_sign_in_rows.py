"""Apps, codes, tokens and sessions on both engines."""

from fedi.ids import AccountId
from fedi.model.accounts import Account
from fedi.model.users import LocalUser
from fedi.store import accounts, oauth, users
from tests.support.clocks import FakeClock

ANN = AccountId(7)


async def add_ann(db, clock: FakeClock) -> None:
    account = Account(
        id=ANN, uri="https://s.example/users/ann", local=True, kind="Person", username="ann", domain="", host="s.example",
        inbox="https://s.example/users/ann/inbox", created_at=clock.ms(),
    )  # fmt: skip

    async def unit(tx):
        await accounts.put_account(tx, account)
        await users.put_user(tx, LocalUser(account=ANN, locale="fr", confirmed_at=clock.ms(), created_at=clock.ms()))

    await db.write("ann", unit)


async def test_an_app_comes_back_as_it_was_registered(db, clock):
    uris = ["com.example:/a?b=%2F", "urn:ietf:wg:oauth:2.0:oob", "https://é.example/ü"]
    await db.write(
        "app",
        lambda tx: oauth.put_app(
            tx, app_id=1, client_id="c", secret_hash="h", name="Añ \u0627", website=None, redirect_uris=uris,
            scopes="read write", now_ms=5,
        ),
    )  # fmt: skip
    app = await db.read(lambda tx: oauth.find_app(tx, "c"))
    assert app == await db.read(lambda tx: oauth.find_app_by_id(tx, 1))
    assert app.redirect_uris == tuple(uris)
    assert app.scopes == {"read", "write"}
    assert (app.name, app.website, app.created_at) == ("Añ \u0627", None, 5)
    assert await db.read(lambda tx: oauth.find_app(tx, "C")) is None


async def test_a_code_is_used_by_the_first_who_comes_and_its_tokens_can_be_ended(db, clock):
    await add_ann(db, clock)
    await db.write(
        "code",
        lambda tx: oauth.put_code(
            tx, code_hash="k", app=1, account=ANN, redirect_uri="x:", scopes="read", challenge=None, expires_at=100
        ),
    )
    assert await db.write("use", lambda tx: oauth.mark_code_used(tx, "k", now_ms=9))
    assert not await db.write("use", lambda tx: oauth.mark_code_used(tx, "k", now_ms=10))
    row = await db.read(lambda tx: oauth.find_code(tx, "k"))
    assert (row.app, row.account, row.used_at, row.challenge) == (1, ANN, 9, None)
    for name, code in (("t1", "k"), ("t2", None)):
        await db.write(
            "token",
            lambda tx, name=name, code=code: oauth.put_token(
                tx, token_hash=name, app=1, account=ANN, scopes="read", now_ms=9, code_hash=code
            ),
        )
    assert await db.write("end", lambda tx: oauth.drop_tokens_of_code(tx, "k")) == ["t1"]
    assert await db.read(lambda tx: oauth.find_token(tx, "t1")) is None
    assert await db.read(lambda tx: oauth.find_token(tx, "t2")) is not None
    assert await db.write("old", lambda tx: oauth.drop_old_codes(tx, before_ms=101)) == 1


async def test_a_token_brings_what_must_be_known_of_its_owner(db, clock):
    await add_ann(db, clock)
    for name, account in (("of-ann", ANN), ("of-app", None)):
        await db.write(
            "token",
            lambda tx, name=name, account=account: oauth.put_token(
                tx, token_hash=name, app=3, account=account, scopes="read push", now_ms=1
            ),
        )
    found = await db.read(lambda tx: oauth.find_token(tx, "of-ann"))
    assert (found.app, found.account, found.scopes, found.confirmed_at) == (3, ANN, "read push", clock.ms())
    assert (await db.read(lambda tx: oauth.find_token(tx, "of-app"))).account is None
    assert not await db.write("other app", lambda tx: oauth.drop_token(tx, "of-ann", app=4))
    assert await db.write("own app", lambda tx: oauth.drop_token(tx, "of-ann", app=3))


async def test_all_access_of_an_account_ends_together(db, clock):
    await add_ann(db, clock)
    other = AccountId(ANN + 1)
    for account, name in ((ANN, "ann"), (other, "other")):

        async def give(tx, account=account, name=name):
            await oauth.put_token(tx, token_hash=name, app=3, account=account, scopes="read", now_ms=1)
            await oauth.put_session(tx, id_hash=name, account=account, now_ms=1, expires_at=50)
            await oauth.put_code(
                tx,
                code_hash=name,
                app=3,
                account=account,
                redirect_uri="x",
                scopes="read",
                challenge=None,
                expires_at=50,
            )

        await db.write("give", give)
    await db.write("end", lambda tx: oauth.drop_access_of_account(tx, ANN))
    for table in ("token", "web_session", "oauth_code"):
        assert await db.read(lambda tx, table=table: tx.all(f"SELECT account FROM {table}")) == [(other,)]


async def test_a_session_lasts_until_its_end_and_only_while_its_owner_is_here(db, clock):
    await add_ann(db, clock)
    await db.write("start", lambda tx: oauth.put_session(tx, id_hash="s", account=ANN, now_ms=1, expires_at=50))
    found = await db.read(lambda tx: oauth.find_session(tx, "s", now_ms=49))
    assert (found.account, found.username, found.locale) == (ANN, "ann", "fr")
    assert await db.read(lambda tx: oauth.find_session(tx, "s", now_ms=50)) is None
    await db.write("leave", lambda tx: accounts.mark_gone(tx, ANN, 20))
    assert await db.read(lambda tx: oauth.find_session(tx, "s", now_ms=30)) is None
    assert await db.write("old", lambda tx: oauth.drop_old_sessions(tx, now_ms=50)) == 1
