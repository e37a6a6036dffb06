"""What the command line can do to an instance, as functions of the instance and plain JSON values.

They run in the server when one is running, else in the command's own process: the same code, the same permissions.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from fedi.activitypub.urls import host as host_of
from fedi.activitypub.urls import is_under_domain, normal_host
from fedi.app import Instance
from fedi.auth.enrol import enrol_person, key_rows, make_keys
from fedi.auth.passwords import check_new_password
from fedi.auth.scopes import parse_scopes
from fedi.auth.tokens import hash_secret, make_secret
from fedi.clock import api_time
from fedi.errors import ClientFault, PeerFault
from fedi.ledger.decisions import Decision
from fedi.model.accounts import Account
from fedi.store import accounts, deliveries, jobs, keys, oauth, statuses, users
from fedi.store.database import Tx

Operation = Callable[..., Awaitable[Any]]
OPERATIONS: dict[str, Operation] = {}

COMMAND_LINE_APP = "fedi-command-line"


def operation(name: str) -> Callable[[Operation], Operation]:
    def register(function: Operation) -> Operation:
        assert name not in OPERATIONS, name
        OPERATIONS[name] = function
        return function

    return register


async def _local(tx: Tx, name: str) -> Account:
    account = await accounts.find_by_handle(tx, name.removeprefix("@"), "")
    if account is None:
        raise ClientFault("account-unknown", "There is no local account of this name.", status=404)
    if account.gone_at is not None:
        raise ClientFault("account-gone", "This account was deleted by its owner.", status=410)
    return account


async def _named(instance: Instance, tx: Tx, name: str) -> Account:
    """A local name, ``name@domain``, or an actor URI."""
    if "://" in name:
        account = await accounts.find_by_uri(tx, name)
    else:
        username, _, domain = name.removeprefix("@").lower().partition("@")
        own = not domain or instance.uris.is_own_domain(domain)
        account = await accounts.find_by_handle(tx, username, "" if own else domain)
    if account is None:
        raise ClientFault("account-unknown", "This account is not known here.", status=404)
    return account


# Accounts ----------------------------------------------------------------------------------------------------


@operation("account create")
async def create_account(instance: Instance, *, name: str, role: str, email: str | None, password: str) -> Any:
    check_new_password(password)
    account = await enrol_person(
        instance.database,
        uris=instance.uris,
        ids=instance.ids,
        clock=instance.clock,
        username=name,
        role=role,  # type: ignore[arg-type]  # click offers the four roles and no other
        email=email,
        password_hash=await instance.passwords.hash(password),
        may_be_reserved=True,
    )
    return {"id": str(account.id), "handle": instance.uris.handle(account.username), "uri": account.uri, "role": role}


@operation("account list")
async def list_accounts(instance: Instance) -> Any:
    now_ms = instance.clock.ms()

    async def unit(tx: Tx) -> list[dict[str, Any]]:
        people = {user.account: user for user in await users.list_users(tx)}
        return [
            {
                "name": account.username,
                "role": people[account.id].role,
                "email": people[account.id].email,
                "suspended": instance.decisions.refusal_of(account.uri, now_ms) is not None,
                "created": api_time(account.created_at),
            }
            for account in await accounts.list_local(tx)
            if account.id in people and account.gone_at is None
        ]

    return await instance.database.read(unit)


@operation("account show")
async def show_account(instance: Instance, *, name: str) -> Any:
    async def unit(tx: Tx) -> dict[str, Any]:
        account = await _named(instance, tx, name)
        user = await users.find_user(tx, account.id)
        stats = await accounts.find_stats(tx, account.id)
        decision = instance.decisions.refusal_of(account.uri, instance.clock.ms())
        return {
            "id": str(account.id),
            "acct": account.acct,
            "uri": account.uri,
            "role": user.role if user else None,
            "email": user.email if user else None,
            "statuses": stats.statuses,
            "followers": stats.followers,
            "following": stats.following,
            "decision": _show(decision) if decision else None,
            "keys": [key.id for key in await keys.list_keys(tx, account.id)],
        }

    return await instance.database.read(unit)


@operation("account suspend")
async def suspend_account(instance: Instance, *, name: str, rule: str, reason: str, until_ms: int) -> Any:
    async def unit(tx: Tx) -> Decision:
        account = await _named(instance, tx, name)
        return await instance.decisions.decide(
            tx,
            effect="suspend",
            subject=account.uri,
            rule=rule,
            reason=reason,
            until_ms=until_ms,
            by_role="admin",
            now_ms=instance.clock.ms(),
        )

    return _show(await instance.database.write("suspend an account", unit))


@operation("account lift")
async def lift_account(instance: Instance, *, name: str) -> Any:
    async def unit(tx: Tx) -> Decision:
        account = await _named(instance, tx, name)
        return await instance.decisions.lift(tx, subject=account.uri, now_ms=instance.clock.ms())

    return _show(await instance.database.write("lift a suspension", unit))


# Domains -----------------------------------------------------------------------------------------------------


def _host(typed: str) -> str:
    try:
        return normal_host(typed)
    except PeerFault:
        raise ClientFault("host-invalid", "“%(host)s” is not the name of a host.", params={"host": typed}) from None


@operation("domain refuse")
async def refuse_domain(instance: Instance, *, host: str, rule: str, reason: str, until_ms: int) -> Any:
    host = _host(host)
    if is_under_domain(host_of(instance.uris.origin), host):
        raise ClientFault("domain-own", "An instance cannot refuse itself.")

    async def unit(tx: Tx) -> Decision:
        return await instance.decisions.decide(
            tx,
            effect="refuse",
            subject=host,
            rule=rule,
            reason=reason,
            until_ms=until_ms,
            by_role="admin",
            now_ms=instance.clock.ms(),
        )

    return _show(await instance.database.write("refuse a domain", unit))


@operation("domain lift")
async def lift_domain(instance: Instance, *, host: str) -> Any:
    host = _host(host)

    async def unit(tx: Tx) -> Decision:
        return await instance.decisions.lift(tx, subject=host, now_ms=instance.clock.ms())

    return _show(await instance.database.write("lift a refusal", unit))


@operation("domain list")
async def list_domains(instance: Instance) -> Any:
    return [_show(one) for one in instance.decisions.list_live(instance.clock.ms()) if one.scope == "domain"]


def _show(decision: Decision) -> dict[str, Any]:
    return {
        "decision": decision.id,
        "subject": decision.subject.removeprefix("host:"),
        "effect": decision.effect,
        "rule": decision.rule,
        "reason": decision.reason,
        "since": api_time(decision.start_at * 1000),
        "until": api_time(decision.until * 1000),
    }


# Tokens and keys ---------------------------------------------------------------------------------------------


@operation("token create")
async def create_token(instance: Instance, *, name: str, scopes: str) -> Any:
    wanted = parse_scopes(scopes)

    async def unit(tx: Tx) -> str:
        account = await _local(tx, name)
        if await users.find_user(tx, account.id) is None:
            raise ClientFault("account-unknown", "There is no local account of this name.", status=404)
        app = await oauth.find_app(tx, COMMAND_LINE_APP)
        if app is None:
            app_id = instance.ids.next()
            await oauth.put_app(
                tx,
                app_id=app_id,
                client_id=COMMAND_LINE_APP,
                secret_hash=hash_secret(make_secret()),  # nobody signs in as the command line
                name="fedi command line",
                website=None,
                redirect_uris=["urn:ietf:wg:oauth:2.0:oob"],
                scopes="read write follow push",
                now_ms=instance.clock.ms(),
            )
        else:
            app_id = app.id
        return await instance.tokens.issue(tx, app=app_id, account=account.id, scopes=wanted)

    return {"token": await instance.database.write("create a token", unit)}


@operation("key rotate")
async def rotate_keys(instance: Instance, *, name: str) -> Any:
    """New keys under the same ids: peers fetch them again when the old ones stop verifying."""
    pair = await make_keys()

    async def unit(tx: Tx) -> Account:
        account = await _local(tx, name)
        await keys.replace_keys(tx, account.id, key_rows(account, pair, instance.clock.ms()))
        tx.after_commit(partial(instance.keyring.forget_own, account.id))
        if account.kind != "Application":
            await instance.outbox.send_profile(tx, account, instance.clock.ms())
        return account

    account = await instance.database.write("rotate keys", unit)
    return {"account": account.acct, "keys": [account.uri + "#main-key", account.uri + "#ed25519-key"]}


# Jobs and deliveries -----------------------------------------------------------------------------------------


@operation("jobs list")
async def list_jobs(instance: Instance, *, state: str | None, kind: str | None, limit: int) -> Any:
    async def unit(tx: Tx) -> list[dict[str, Any]]:
        rows = await jobs.list_jobs(tx, state=state, kind=kind, limit=limit)  # type: ignore[arg-type]
        return [
            {
                "id": row.id,
                "kind": row.kind,
                "state": row.state,
                "lane": row.lane,
                "attempts": row.attempts,
                "due": api_time(row.run_at),
                "error": row.error,
            }
            for row in rows
        ]

    return await instance.database.read(unit)


@operation("jobs retry")
async def retry_jobs(instance: Instance, *, job_id: int | None, kind: str | None) -> Any:
    now_ms = instance.clock.ms()

    async def unit(tx: Tx) -> int:
        if job_id is None:
            return await jobs.retry_dead(tx, kind=kind, now_ms=now_ms)
        if not await jobs.retry_job(tx, job_id, now_ms=now_ms):
            raise ClientFault("job-unknown", "No such job waits or is dead.", status=404)
        return 1

    return {"retried": await instance.database.write("retry jobs", unit)}


@operation("post deliveries")
async def show_deliveries(instance: Instance, *, url: str) -> Any:
    target = instance.uris.find_page(url) or instance.uris.find_local(url)
    status_id = getattr(target, "status_id", None)

    async def unit(tx: Tx) -> Any:
        status = None if status_id is None else await statuses.find_status(tx, status_id)
        if status is None or not status.local:
            raise ClientFault("status-unknown", "There is no post of ours at this address.", status=404)
        return [
            {
                "activity": report.kind,
                "host": host.host,
                "state": host.state,
                "recipients": host.recipients,
                "attempts": host.attempts,
                "code": host.code,
                "error": host.error,
                "next": api_time(host.next_at) if host.next_at else None,
            }
            for report in await deliveries.report(tx, status.id, status.account)
            for host in report.hosts
        ]

    return await instance.database.read(unit)
