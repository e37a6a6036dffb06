"""New local actors: people, and the instance itself. Keys are made outside the transaction that stores them."""

import asyncio
import re
from dataclasses import dataclass

from fedi.activitypub.keys import KeyPair, generate_ed25519, generate_rsa
from fedi.activitypub.uris import ED25519_KEY, RSA_KEY, LocalUris
from fedi.clock import Clock
from fedi.errors import ClientFault
from fedi.ids import AccountId, IdMaker
from fedi.model.accounts import Account, ActorKey, ActorKind
from fedi.model.users import LocalUser, Role
from fedi.store import accounts, keys, users
from fedi.store.database import Database, Tx

# What Mastodon allows in a local name; dots and dashes confuse its mention parser.
_USERNAME = re.compile(r"[a-zA-Z0-9_]{1,30}", re.ASCII)
# Names people would take for the server speaking, or that our own paths use.
RESERVED = frozenset({
    "abuse", "actor", "admin", "administrator", "api", "auth", "bridges", "fedi", "help", "inbox", "info", "instance",
    "moderation", "moderator", "nodeinfo", "notes", "oauth", "postmaster", "root", "security", "support", "system",
    "tags", "transparency", "users", "webmaster",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorKeys:
    rsa: KeyPair
    ed25519: KeyPair


async def make_keys() -> ActorKeys:
    """RSA-2048 and Ed25519, made in a thread: tens of milliseconds."""
    rsa = await asyncio.to_thread(generate_rsa)
    return ActorKeys(rsa=rsa, ed25519=generate_ed25519())


def check_username(username: str, *, may_be_reserved: bool = False) -> str:
    """Returns the name; raises ClientFault when it is malformed, or reserved and nobody in charge asks for it."""
    if not _USERNAME.fullmatch(username):
        raise ClientFault("username-invalid", "A user name has 1 to 30 letters a to z, digits or underscores.")
    if username.casefold() in RESERVED and not may_be_reserved:
        raise ClientFault("username-reserved", "This user name is reserved.")
    return username


async def enrol_person(
    db: Database,
    *,
    uris: LocalUris,
    ids: IdMaker,
    clock: Clock,
    username: str,
    role: Role,
    email: str | None,
    password_hash: str | None,
    locale: str = "en",
    may_be_reserved: bool = False,
) -> Account:
    """A confirmed account with its keys. Raises ClientFault when the name or the address is taken."""
    name = check_username(username, may_be_reserved=may_be_reserved)
    pair = await make_keys()
    now_ms = clock.ms()
    account = _local_account(uris, AccountId(ids.next()), name, "Person", now_ms)

    async def unit(tx: Tx) -> None:
        if await accounts.find_by_handle(tx, name, "") is not None:
            raise ClientFault("username-taken", "This user name is taken.")
        if email and await users.find_by_email(tx, email) is not None:
            raise ClientFault("email-taken", "This e-mail address is in use by another account.")
        await accounts.put_account(tx, account)
        await keys.put_keys(tx, key_rows(account, pair, now_ms))
        await users.put_user(
            tx,
            LocalUser(
                account=account.id,
                email=email,
                password_hash=password_hash,
                role=role,
                locale=locale,
                confirmed_at=now_ms,
                created_at=now_ms,
            ),
        )

    await db.write("enrol a person", unit)
    return account


async def enrol_instance(db: Database, *, uris: LocalUris, ids: IdMaker, clock: Clock) -> Account:
    """The actor that signs what the server itself asks; made once, found afterwards."""
    uri = uris.instance_actor

    async def find(tx: Tx) -> Account | None:
        return await accounts.find_by_uri(tx, uri)

    known = await db.read(find)
    if known is not None:
        return known
    pair = await make_keys()
    now_ms = clock.ms()
    account = _local_account(uris, AccountId(ids.next()), uris.host.split(":")[0], "Application", now_ms)

    async def unit(tx: Tx) -> None:
        await accounts.put_account(tx, account)
        await keys.put_keys(tx, key_rows(account, pair, now_ms))

    await db.write("enrol the instance", unit)
    return account


def _local_account(uris: LocalUris, id_: AccountId, name: str, kind: ActorKind, now_ms: int) -> Account:
    instance = kind == "Application"
    return Account(
        id=id_,
        uri=uris.instance_actor if instance else uris.actor(name),
        local=True,
        kind=kind,
        username=name,
        domain="",
        host=uris.host,
        url=f"{uris.origin}/about" if instance else uris.profile_page(name),
        inbox=uris.instance_actor_part("inbox") if instance else uris.inbox(name),
        shared_inbox=uris.shared_inbox,
        outbox=None if instance else uris.outbox(name),
        followers_uri=None if instance else uris.followers(name),
        following_uri=None if instance else uris.following(name),
        featured_uri=None if instance else uris.featured(name),
        discoverable=not instance,
        created_at=now_ms,
    )


def key_rows(account: Account, pair: ActorKeys, now_ms: int) -> list[ActorKey]:
    """The rows that store a pair of fresh keys under the account's key ids."""
    return [
        ActorKey(
            id=account.uri + RSA_KEY,
            account=account.id,
            kind="rsa",
            public_key=pair.rsa.public_pem,
            private_key=pair.rsa.private_pem,
            created_at=now_ms,
        ),
        ActorKey(
            id=account.uri + ED25519_KEY,
            account=account.id,
            kind="ed25519",
            public_key=pair.ed25519.public_multibase,
            private_key=pair.ed25519.private_pem,
            created_at=now_ms,
        ),
    ]
