"""What people are told. Their own blocks and mutes decide whether they are."""

from collections.abc import Collection
from typing import get_args

from fedi.ids import AccountId, StatusId
from fedi.model.notifications import Notification, NotificationKind
from fedi.store.database import Tx
from fedi.store.paging import FIRST_PAGE, Paged, Window
from fedi.store.rows import Shape

NOTIFICATION = Shape(Notification)
ALL_KINDS: tuple[NotificationKind, ...] = get_args(NotificationKind)

# One statement for all the rules. Nobody is told of their own acts, but of the end of their own poll.
# The last probe is there because a UNIQUE index takes two NULLs (a follow has no status) for different.
PUT_NOTIFICATION = f"""
INSERT INTO notification (account, kind, actor, status, created_at)
SELECT u.account, CAST(:kind AS TEXT), CAST(:actor AS BIGINT), CAST(:status AS BIGINT), CAST(:now_ms AS BIGINT)
  FROM local_user u
 WHERE u.account = :account AND (:account <> :actor OR :kind = 'poll')
   AND NOT EXISTS (SELECT 1 FROM block b WHERE b.account = :account AND b.target = :actor)
   AND NOT EXISTS (SELECT 1 FROM mute m WHERE m.account = :account AND m.target = :actor AND m.notifications = 1
                      AND (m.expires_at IS NULL OR m.expires_at > :now_ms))
   AND NOT EXISTS (SELECT 1 FROM status s JOIN thread_mute t ON t.thread = s.thread
                    WHERE s.id = :status AND t.account = :account)
   AND NOT EXISTS (SELECT 1 FROM notification n WHERE n.account = :account AND n.kind = :kind AND n.actor = :actor
                      AND COALESCE(n.status, 0) = COALESCE(:status, 0))
ON CONFLICT (account, kind, actor, status) DO NOTHING
RETURNING {NOTIFICATION.columns}"""
LIST_NOTIFICATIONS = Paged(
    f"SELECT {NOTIFICATION.columns} FROM notification WHERE account = :account AND kind IN TEXTS(:kinds)", "id"
)  # notification_account
LIST_NOTIFICATIONS_FROM = Paged(
    f"""SELECT {NOTIFICATION.columns} FROM notification
 WHERE account = :account AND kind IN TEXTS(:kinds) AND actor = :actor""",
    "id",
)
FIND_NOTIFICATION = f"SELECT {NOTIFICATION.columns} FROM notification WHERE id = :id AND account = :account"
DROP_NOTIFICATION = "DELETE FROM notification WHERE id = :id AND account = :account"
DROP_ALL = "DELETE FROM notification WHERE account = :account"
DROP_FROM = "DELETE FROM notification WHERE account = :account AND actor = :actor"
DROP_OF_STATUS = "DELETE FROM notification WHERE status = :status"  # notification_status
DROP_ACT = """
DELETE FROM notification
 WHERE account = :account AND kind = :kind AND actor = :actor AND COALESCE(status, 0) = :status"""  # notification_once
COUNT_ABOVE = """
SELECT COUNT(*) FROM (SELECT 1 FROM notification WHERE account = :account AND id > :above LIMIT :limit) AS unread"""


async def put_notification(
    tx: Tx,
    *,
    account: AccountId,
    kind: NotificationKind,
    actor: AccountId,
    status: StatusId | None = None,
    now_ms: int,
) -> Notification | None:
    """None when ``account`` is not told: it is no local person, has blocked or muted the actor or the thread, or knows
    already."""
    return await tx.one_as(
        NOTIFICATION.make, PUT_NOTIFICATION, account=account, kind=kind, actor=actor, status=status, now_ms=now_ms
    )


async def list_notifications(
    tx: Tx,
    account: AccountId,
    window: Window = FIRST_PAGE,
    *,
    kinds: Collection[str] = (),
    excluded: Collection[str] = (),
    actor: AccountId | None = None,
) -> list[Notification]:
    """Newest first. ``kinds``: only these; ``excluded``: not these; ``actor``: only by this account."""
    wanted = [kind for kind in ALL_KINDS if (not kinds or kind in kinds) and kind not in excluded]
    if actor is not None:
        return await LIST_NOTIFICATIONS_FROM.all_as(
            tx, NOTIFICATION.make, window, account=account, kinds=wanted, actor=actor
        )
    return await LIST_NOTIFICATIONS.all_as(tx, NOTIFICATION.make, window, account=account, kinds=wanted)


async def find_notification(tx: Tx, account: AccountId, notification: int) -> Notification | None:
    """Only to its owner."""
    return await tx.one_as(NOTIFICATION.make, FIND_NOTIFICATION, id=notification, account=account)


async def drop_notification(tx: Tx, account: AccountId, notification: int) -> bool:
    return await tx.run(DROP_NOTIFICATION, id=notification, account=account) > 0


async def drop_all(tx: Tx, account: AccountId) -> None:
    await tx.run(DROP_ALL, account=account)


async def drop_from(tx: Tx, account: AccountId, actor: AccountId) -> None:
    """Everything by ``actor``: it was blocked."""
    await tx.run(DROP_FROM, account=account, actor=actor)


async def drop_of_status(tx: Tx, status: StatusId) -> None:
    await tx.run(DROP_OF_STATUS, status=status)


async def drop_act(
    tx: Tx, *, account: AccountId, kind: NotificationKind, actor: AccountId, status: StatusId | None = None
) -> bool:
    """The act was undone."""
    return await tx.run(DROP_ACT, account=account, kind=kind, actor=actor, status=status or 0) > 0


async def count_above(tx: Tx, account: AccountId, above: int, *, limit: int = 100) -> int:
    """How many are newer than the last one read; counting ends at ``limit``."""
    return int(await tx.value(COUNT_ABOVE, account=account, above=above, limit=limit))
