"""Following, answering follows, blocking, muting, reporting."""

from collections.abc import Sequence
from typing import Literal

from fedi.activitypub import render_activities as activities
from fedi.errors import ClientFault
from fedi.ids import AccountId, StatusId
from fedi.model.accounts import Account
from fedi.model.relations import Follow, FollowState
from fedi.model.reports import ReportCategory
from fedi.outbox.acts import HIGH, Acts
from fedi.store import accounts, notifications, relations, reports, statuses
from fedi.store.database import Tx

REPORT_DUE_MS = 7 * 24 * 3600 * 1000  # by then somebody has answered
MAX_COMMENT_CHARS = 1000
MAX_REPORTED = 100


class RelationActs(Acts):
    """Acts on other accounts."""

    async def follow(
        self,
        account: AccountId,
        target_id: AccountId,
        *,
        reblogs: bool = True,
        notify: bool = False,
        languages: tuple[str, ...] | None = None,
    ) -> FollowState:
        """Follows, asks to follow, or changes how one follows. Raises :class:`ClientFault`."""
        now_ms = self.now()

        async def act(tx: Tx) -> FollowState:
            follower = await self.actor(tx, account, now_ms)
            target = await self.other(tx, target_id)
            if target.id == follower.id:
                raise ClientFault("follow-self", "You cannot follow yourself", status=403)
            await self.refuse_blocked(tx, account, target_id)
            before = await relations.find_follow(tx, account, target_id)
            waits = not target.local or target.locked
            state: Literal["requested", "accepted"] = "requested" if waits else "accepted"
            uri = before.uri if before is not None and before.uri is not None else self.new_uri(follower)
            after = await relations.put_follow(
                tx,
                follower=account,
                target=target_id,
                state=state,
                uri=uri,
                now_ms=now_ms,
                reblogs=reblogs,
                notify=notify,
                languages=languages,
            )
            if before is None or before.state == "severed":
                await self._ask(tx, follower, target, after, now_ms)
            return after.state

        return await self.db.write("follow", act)

    async def _ask(self, tx: Tx, follower: Account, target: Account, follow: Follow, now_ms: int) -> None:
        if target.local:
            await self.notify(
                tx,
                account=target.id,
                kind="follow" if follow.state == "accepted" else "follow_request",
                by=follower.id,
                now_ms=now_ms,
            )
            return
        document = activities.render_follow(uri=follow.uri or "", actor=follower.uri, target=target.uri)
        await self._tell_actor(tx, document, follower, target, now_ms)

    async def unfollow(self, account: AccountId, target_id: AccountId) -> None:
        """Also takes a request back. Nothing to take back is fine."""
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            follower = await self.actor(tx, account, now_ms)
            await self._unfollow(tx, follower, target_id, now_ms)

        await self.db.write("unfollow", act)

    async def _unfollow(self, tx: Tx, follower: Account, target_id: AccountId, now_ms: int) -> None:
        dropped = await relations.drop_follow(tx, follower.id, target_id)
        target = await accounts.find_account(tx, target_id)
        if dropped is None or target is None:
            return
        if target.local:
            for kind in ("follow", "follow_request"):
                await notifications.drop_act(tx, account=target.id, kind=kind, actor=follower.id)
            return
        uri = dropped.uri or self.new_uri(follower)
        follow = activities.render_follow(uri=uri, actor=follower.uri, target=target.uri)
        undo = activities.render_undo(uri=f"{uri}#undo/{self.tools.ids.next()}", activity=follow)
        await self._tell_actor(tx, undo, follower, target, now_ms)

    async def accept_follow(self, account: AccountId, follower_id: AccountId) -> None:
        """Lets somebody who asked follow. Raises 404 when nobody asked."""
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            target = await self.actor(tx, account, now_ms)
            follow = await relations.find_follow(tx, follower_id, account)
            if follow is None:
                raise ClientFault("no-such-request", "Record not found", status=404)
            if not await relations.accept_follow(tx, follower_id, account):
                return
            await notifications.drop_act(tx, account=account, kind="follow_request", actor=follower_id)
            await self.notify(tx, account=account, kind="follow", by=follower_id, now_ms=now_ms)
            await self._answer(tx, "Accept", target, follow, now_ms)

        await self.db.write("accept a follow", act)

    async def reject_follow(self, account: AccountId, follower_id: AccountId) -> None:
        """Refuses who asked. Raises 404 when nobody did."""
        await self._drop_follower(account, follower_id, must_exist=True)

    async def remove_follower(self, account: AccountId, follower_id: AccountId) -> None:
        """Ends an accepted follow of oneself."""
        await self._drop_follower(account, follower_id, must_exist=False)

    async def _drop_follower(self, account: AccountId, follower_id: AccountId, *, must_exist: bool) -> None:
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            target = await self.actor(tx, account, now_ms)
            dropped = await relations.drop_follow(tx, follower_id, account)
            if dropped is None:
                if must_exist:
                    raise ClientFault("no-such-request", "Record not found", status=404)
                return
            await notifications.drop_act(tx, account=account, kind="follow_request", actor=follower_id)
            await self._answer(tx, "Reject", target, dropped, now_ms)

        await self.db.write("end a follow", act)

    async def _answer(self, tx: Tx, kind: str, target: Account, follow: Follow, now_ms: int) -> None:
        follower = await accounts.find_account(tx, follow.follower)
        if follower is None or follower.local:
            return
        document = activities.render_answer(
            kind=kind, uri=self.new_uri(target), actor=target.uri, follow_uri=follow.uri, follower=follower.uri
        )
        await self._tell_actor(tx, document, target, follower, now_ms)

    async def block(self, account: AccountId, target_id: AccountId) -> None:
        """Ends follows both ways, and everything that its owner has told."""
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            blocker = await self.actor(tx, account, now_ms)
            target = await self.other(tx, target_id)
            if target.id == blocker.id:
                raise ClientFault("block-self", "You cannot block yourself", status=403)
            uri = self.new_uri(blocker)
            if not await relations.put_block(tx, account, target_id, uri=uri, now_ms=now_ms):
                return
            await self._unfollow(tx, blocker, target_id, now_ms)
            followed = await relations.drop_follow(tx, target_id, account)
            if followed is not None:
                await self._answer(tx, "Reject", blocker, followed, now_ms)
            await notifications.drop_from(tx, account, target_id)
            document = activities.render_block(uri=uri, actor=blocker.uri, target=target.uri)
            await self._tell_actor(tx, document, blocker, target, now_ms)

        await self.db.write("block", act)

    async def unblock(self, account: AccountId, target_id: AccountId) -> None:
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            blocker = await self.actor(tx, account, now_ms)
            dropped = await relations.drop_block(tx, account, target_id)
            target = await accounts.find_account(tx, target_id)
            if dropped is None or target is None:
                return
            uri = dropped.uri or self.new_uri(blocker)
            block = activities.render_block(uri=uri, actor=blocker.uri, target=target.uri)
            await self._tell_actor(
                tx, activities.render_undo(uri=f"{uri}#undo", activity=block), blocker, target, now_ms
            )

        await self.db.write("unblock", act)

    async def mute(
        self, account: AccountId, target_id: AccountId, *, notifications_too: bool = True, for_s: int | None = None
    ) -> None:
        """Nobody else hears of it. ``for_s``: seconds until it ends by itself."""
        now_ms = self.now()

        async def act(tx: Tx) -> None:
            await self.actor(tx, account, now_ms)
            await self.other(tx, target_id)
            if target_id == account:
                raise ClientFault("mute-self", "You cannot mute yourself", status=403)
            await relations.put_mute(
                tx,
                account,
                target_id,
                now_ms=now_ms,
                notifications=notifications_too,
                expires_at=now_ms + for_s * 1000 if for_s else None,
            )

        await self.db.write("mute", act)

    async def unmute(self, account: AccountId, target_id: AccountId) -> None:
        await self.db.write("unmute", lambda tx: relations.drop_mute(tx, account, target_id))

    async def report(
        self,
        account: AccountId,
        target_id: AccountId,
        *,
        statuses_of: Sequence[StatusId] = (),
        comment: str = "",
        category: ReportCategory = "other",
        forward: bool = False,
    ) -> int:
        """Complains to the moderators here, and with ``forward`` to those of the account's own server, where the
        reporter stays unknown. Returns the report's id."""
        if len(comment) > MAX_COMMENT_CHARS:
            raise ClientFault("comment-too-long", "The comment is too long; 1000 characters at most.")
        now_ms = self.now()

        async def act(tx: Tx) -> int:
            await self.actor(tx, account, now_ms)
            target = await self.other(tx, target_id)
            found = await statuses.find_many(tx, statuses_of[:MAX_REPORTED])
            reported = [one.uri for one in found.values() if one.account == target_id and one.deleted_at is None]
            goes_out = forward and not target.local and self.tools.instance_account is not None
            uri = self.uris.instance_activity(self.tools.ids.next())
            made = await reports.put_report(
                tx,
                uri=uri,
                account=account,
                target=target_id,
                statuses=reported,
                comment=comment,
                category=category,
                forwarded=goes_out,
                now_ms=now_ms,
                due_at=now_ms + REPORT_DUE_MS,
            )
            assert made is not None
            if goes_out and self.tools.instance_account is not None:
                server = await self.other(tx, self.tools.instance_account)
                flag = activities.render_flag(
                    uri=uri, actor=server.uri, target=target.uri, statuses=reported, comment=comment
                )
                await self._tell_actor(tx, flag, server, target, now_ms)
            return made.id

        return await self.db.write("report", act)

    async def _tell_actor(self, tx: Tx, document: activities.Document, by: Account, whom: Account, now_ms: int) -> None:
        to = await self.personal(tx, [whom.id], now_ms)
        await self.send(tx, document, by=by, to=to, now_ms=now_ms, priority=HIGH)
