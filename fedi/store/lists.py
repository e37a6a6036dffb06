"""Lists of accounts, each seen by its owner alone."""

from collections.abc import Iterable

from fedi.ids import AccountId
from fedi.model.accounts import Account
from fedi.model.lists import AccountList
from fedi.store.accounts import ACCOUNT
from fedi.store.database import Tx
from fedi.store.paging import FIRST_PAGE, Paged, Window
from fedi.store.rows import Shape

LIST = Shape(AccountList)

PUT_LIST = f"INSERT INTO list ({LIST.columns}) VALUES ({LIST.parameters})"
UPDATE_LIST = """
UPDATE list SET title = :title, replies_policy = :replies_policy, exclusive = :exclusive
 WHERE id = :id AND account = :account"""
FIND_LIST = f"SELECT {LIST.columns} FROM list WHERE id = :id AND account = :account"
LIST_LISTS = f"SELECT {LIST.columns} FROM list WHERE account = :account ORDER BY id"  # list_account
LISTS_WITH = f"""
SELECT {LIST.columns_of("l")} FROM list_member m JOIN list l ON l.id = m.list
 WHERE m.account = :member AND l.account = :account ORDER BY l.id"""  # list_member_account
DROP_LIST = "DELETE FROM list WHERE id = :id AND account = :account"
DROP_ALL_MEMBERS = "DELETE FROM list_member WHERE list = :id"
PUT_MEMBER = "INSERT INTO list_member (list, account) VALUES (:list, :account) ON CONFLICT (list, account) DO NOTHING"
DROP_MEMBERS = "DELETE FROM list_member WHERE list = :list AND account IN INTS(:accounts)"
DROP_MEMBER_EVERYWHERE = """
DELETE FROM list_member WHERE account = :member AND list IN (SELECT id FROM list WHERE account = :account)"""
LIST_MEMBERS = Paged(
    f"SELECT {ACCOUNT.columns_of('a')} FROM list_member m JOIN account a ON a.id = m.account WHERE m.list = :list",
    "m.account",
)
LIST_MEMBER_IDS = "SELECT account FROM list_member WHERE list = :list ORDER BY account"


async def put_list(tx: Tx, one: AccountList) -> None:
    await tx.run(PUT_LIST, **LIST.values(one))


async def update_list(tx: Tx, one: AccountList) -> bool:
    """False when there is no such list of this owner."""
    return await tx.run(UPDATE_LIST, **LIST.values(one)) > 0


async def find_list(tx: Tx, account: AccountId, list_id: int) -> AccountList | None:
    """Only to its owner."""
    return await tx.one_as(LIST.make, FIND_LIST, id=list_id, account=account)


async def list_lists(tx: Tx, account: AccountId) -> list[AccountList]:
    return await tx.all_as(LIST.make, LIST_LISTS, account=account)


async def list_lists_with(tx: Tx, account: AccountId, member: AccountId) -> list[AccountList]:
    """The lists of ``account`` that ``member`` is in."""
    return await tx.all_as(LIST.make, LISTS_WITH, account=account, member=member)


async def drop_list(tx: Tx, account: AccountId, list_id: int) -> bool:
    dropped = await tx.run(DROP_LIST, id=list_id, account=account) > 0
    if dropped:
        await tx.run(DROP_ALL_MEMBERS, id=list_id)
    return dropped


async def put_members(tx: Tx, list_id: int, accounts: Iterable[AccountId]) -> None:
    """The caller has found the list by its owner, and that the owner follows ``accounts``."""
    rows = [{"list": list_id, "account": account} for account in accounts]
    if rows:
        await tx.many(PUT_MEMBER, rows)


async def drop_members(tx: Tx, list_id: int, accounts: Iterable[AccountId]) -> None:
    await tx.run(DROP_MEMBERS, list=list_id, accounts=set(accounts))


async def drop_member_everywhere(tx: Tx, account: AccountId, member: AccountId) -> None:
    """``account`` follows ``member`` no more: it leaves all its lists."""
    await tx.run(DROP_MEMBER_EVERYWHERE, account=account, member=member)


async def list_members(tx: Tx, list_id: int, window: Window = FIRST_PAGE) -> list[Account]:
    """Pages are cut by account id."""
    return await LIST_MEMBERS.all_as(tx, ACCOUNT.make, window, list=list_id)


async def list_member_ids(tx: Tx, list_id: int) -> list[AccountId]:
    return [row[0] for row in await tx.all(LIST_MEMBER_IDS, list=list_id)]
