"""Sessions: created, found, listed by recency, changed, closed, deleted and forked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, select, update

from chatledger.dialects.encoding import encode_json
from chatledger.dialects.types import EncodedDocument, Timestamp
from chatledger.enums import OPEN, SessionOrder, SessionOrderLike, Status, StatusLike
from chatledger.errors import (
    InvalidInput,
    SessionClosed,
    SessionExists,
    SessionHeld,
    SessionNameTaken,
    SessionNotFound,
)
from chatledger.full_text.parts import OF_SESSIONS, session_search_columns
from chatledger.ids import new_id
from chatledger.schemas import ForkedSession, NewSession, Page, Session
from chatledger.schemas.fields import flags, identifier, stated, validated, whole
from chatledger.schemas.new_session import SessionChanges
from chatledger.schemas.session import KEEP, Keep
from chatledger.services import audit
from chatledger.services.base import logger
from chatledger.services.messages.history import open_calls, report_open_calls
from chatledger.services.registry import registration
from chatledger.services.rows import sessions, to_sessions
from chatledger.services.sessions import creation, families, fork, listing, names
from chatledger.services.sessions.lifecycle import GET, Lifecycle
from chatledger.services.timeouts import limits
from chatledger.services.visibility import this_session, visibility_parameters

if TYPE_CHECKING:
    from chatledger.schemas import ErasureReceipt


class Sessions(Lifecycle):
    """Conversations: create, find, list, change, fork and delete them."""

    __slots__ = ()

    def create(
        self,
        session_id: str | None = None,
        *,
        user_id: str | None = None,
        project_id: str | None = None,
        model_id: str | None = None,
        title: str | None = None,
        system_prompt: str | None = None,
        context: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        idle_timeout: timedelta | float | None = None,
        archive_timeout: timedelta | float | None = None,
        hard_timeout: timedelta | float | None = None,
        name: str | None = None,
        parent: str | None = None,
        created_at: datetime | None = None,
    ) -> Session:
        """Create a session. Without an id it gets a UUIDv7. A new project or model is registered under its name.

        Timeouts are timedeltas or seconds (see `timeouts.configure`); for those that are not passed, the defaults
        apply. A `name` is unique within the user and the project (`get_by_name`). `parent` is the id of a session of
        the same user, which is also the user of the new one if none is passed: when the parent is deleted or purged, the
        new session is, too. Pass `created_at` for a conversation that took place elsewhere.

        Raises:
            SessionExists: the id is taken.
            SessionNameTaken: another session of the user and project has the name.
            SessionNotFound: the parent does not exist, or belongs to another user than the one this ledger is limited
                to.
            InvalidInput: a value that cannot be stored, a user other than the one this ledger is limited to, or a parent
                of another user.
        """
        return self._create({
            "session_id": new_id() if session_id is None else session_id, "user_id": user_id,
            "project_id": project_id, "model_id": model_id, "title": title, "system_prompt": system_prompt,
            "context": context, "metadata": metadata, "idle_timeout": idle_timeout,
            "archive_timeout": archive_timeout, "hard_timeout": hard_timeout, "name": name, "parent_id": parent,
            "created_at": created_at,
        })  # fmt: skip

    def get_or_create(
        self,
        session_id: str | None = None,
        *,
        user_id: str | None = None,
        project_id: str | None = None,
        model_id: str | None = None,
        title: str | None = None,
        system_prompt: str | None = None,
        context: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        idle_timeout: timedelta | float | None = None,
        archive_timeout: timedelta | float | None = None,
        hard_timeout: timedelta | float | None = None,
        name: str | None = None,
        parent: str | None = None,
        created_at: datetime | None = None,
    ) -> Session:
        """Return the session, and create it with these fields if it does not exist.

        Without an id, it is the session of the user and project that has this name. `user_id` is that of the parent if a
        parent is passed.

        An existing session is returned unchanged, whatever its status and whatever the fields say: one statement, and
        nothing is written. When several writers call this for the same new id, one creates the session and the others
        return it.

        Raises:
            SessionExists: the session belongs to another user than `user_id`, or than the one this ledger is limited
                to.
            SessionNameTaken: the session is new, and another one has the name.
            InvalidInput: as `create`; or neither an id nor a name.
            SessionNotFound: as `create`.
        """
        fields = {
            "session_id": session_id, "user_id": user_id,
            "project_id": project_id, "model_id": model_id, "title": title, "system_prompt": system_prompt,
            "context": context, "metadata": metadata, "idle_timeout": idle_timeout,
            "archive_timeout": archive_timeout, "hard_timeout": hard_timeout, "name": name, "parent_id": parent,
            "created_at": created_at,
        }  # fmt: skip
        if session_id is None:
            return self._get_or_create_by_name(fields)
        identifier(session_id, "session_id")
        found = self.find(session_id, include_expired=True)
        if found is None:
            try:
                return self._create(fields)
            except SessionExists:
                # Another writer was quicker, or another user has it.
                found = self.find(session_id, include_expired=True)
        else:
            self._new(fields)  # what is not valid is refused, whether or not the session exists
        if found is None or (user_id is not None and found.user_id != user_id):
            raise SessionExists(session_id)
        return found

    def _get_or_create_by_name(self, fields: dict[str, Any]) -> Session:
        if fields["name"] is None:
            raise InvalidInput("session_id", "is missing, and so is a name: pass one of them")
        new = self._new({**fields, "session_id": new_id()})
        user_id = new.user_id
        if user_id is None and new.parent_id is not None:
            user_id = families.owner_of_parent(self._context, new.parent_id)
        assert new.name is not None
        found = self._named(new.name, user_id, new.project_id)
        if found is None:
            try:
                return self._create({**fields, "session_id": new.session_id})
            except SessionNameTaken:  # another writer was quicker
                found = self._named(new.name, user_id, new.project_id)
            if found is None:  # and cannot be seen by the snapshot of this transaction
                raise SessionNameTaken(new.name)
        return found

    def _named(self, name: str, user_id: str | None, project_id: str | None) -> Session | None:
        parameters = names.by_name_parameters(self._context, name, user_id, project_id)
        found = to_sessions(self._context.rows(names.BY_NAME, parameters))
        return found[0] if found else None

    def _create(self, fields: dict[str, Any]) -> Session:
        context, new = self._context, self._new(fields)
        session = context.perform(creation.Create(new, context.now(new.created_at)))
        logger.info("session created", extra={"session_id": session.session_id})
        return session

    def _new(self, fields: dict[str, Any]) -> NewSession:
        """A session to create, which belongs to the user that the ledger is limited to."""
        owner = self._context.owner
        new = validated(NewSession, {**fields, "user_id": owner if fields["user_id"] is None else fields["user_id"]})
        if owner is not None and new.user_id != owner:
            raise InvalidInput("user_id", "is not the user that this ledger is limited to")
        return new

    def get(self, session_id: str, *, include_expired: bool = False) -> Session:
        """Return a session.

        Raises:
            SessionNotFound: no such session, it belongs to another user, or it is expired and `include_expired` is not
                set.
        """
        flags(include_expired=include_expired)
        found = self.find(session_id, include_expired=include_expired)
        if found is None:
            raise SessionNotFound(session_id)
        return found

    def find(self, session_id: str, *, include_expired: bool = False) -> Session | None:
        """Return a session, or None where `get` would raise."""
        flags(include_expired=include_expired)
        identifier(session_id, "session_id")
        found = to_sessions(self._context.rows(GET, visibility_parameters(self._context, session_id)))
        if not found or (found[0].status is Status.EXPIRED and not include_expired):
            return None
        return found[0]

    def get_by_name(
        self,
        name: str,
        *,
        user_id: str | None = None,
        project_id: str | None = None,
        include_expired: bool = False,
    ) -> Session:
        """Return the session of a user and project that has this name. None means a session without a user or project.

        A ledger that is limited to a user means that user.

        Raises:
            SessionNotFound: no session has this name, or it is expired and `include_expired` is not set.
        """
        found = self.find_by_name(name, user_id=user_id, project_id=project_id, include_expired=include_expired)
        if found is None:
            raise SessionNotFound(name)
        return found

    def find_by_name(
        self,
        name: str,
        *,
        user_id: str | None = None,
        project_id: str | None = None,
        include_expired: bool = False,
    ) -> Session | None:
        """Return a session by its name, or None where `get_by_name` would raise."""
        flags(include_expired=include_expired)
        identifier(name, "name")
        for field, value in (("user_id", user_id), ("project_id", project_id)):
            if value is not None:
                identifier(value, field)
        found = self._named(name, self._context.owner if user_id is None else user_id, project_id)
        if found is None or (found.status is Status.EXPIRED and not include_expired):
            return None
        return found

    def list(
        self,
        *,
        user_id: str | None = None,
        project_id: str | None = None,
        model_id: str | None = None,
        status: StatusLike | Iterable[StatusLike] | None = None,
        annotated: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        name_prefix: str | None = None,
        parent: str | None = None,
        forked_from: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        order: SessionOrderLike = SessionOrder.RECENT,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Session]:
        """Return a page of sessions by their last activity, newest first. A page has at most 1,000.

        `order` is "last_activity", "created_at" or "name", with a minus for the reverse; by name, only sessions that have
        one are listed. `name_prefix` is what their names begin with, in the same case. `parent` selects the children of
        a session, `forked_from` its direct forks.

        Expired sessions are included only if `status` names them. `annotated` is a label on the session or one of its
        messages. `metadata` selects the sessions that have all of these entries, by index. Values are compared as JSON
        text: 1 and 1.0 differ, and so do dicts whose keys are in another order. `since` is the earliest last activity
        to include, `until` the first to exclude.

        A session whose activity changes between two pages may appear twice or not at all. One that does not change
        appears once.

        Raises:
            InvalidInput: a cursor of another list, an unknown status or order, a time without a time zone, more than 20
                entries.
        """
        filters = listing.Filters(
            user_id,
            project_id,
            model_id,
            annotated,
            metadata,
            status,
            since,
            until,
            name_prefix,
            parent,
            forked_from,
        )
        return listing.list_sessions(self._context, filters, order=order, limit=limit, cursor=cursor)

    def iterate(
        self,
        *,
        user_id: str | None = None,
        project_id: str | None = None,
        model_id: str | None = None,
        status: StatusLike | Iterable[StatusLike] | None = None,
        annotated: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        name_prefix: str | None = None,
        parent: str | None = None,
        forked_from: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        order: SessionOrderLike = SessionOrder.RECENT,
    ) -> Iterator[Session]:
        """Iterate over all sessions that `list` would return, in the same order. They are read 1,000 at a time.

        Raises:
            InvalidInput: as `list`.
        """
        filters = listing.Filters(
            user_id,
            project_id,
            model_id,
            annotated,
            metadata,
            status,
            since,
            until,
            name_prefix,
            parent,
            forked_from,
        )
        return listing.iterate_sessions(self._context, filters, order=order)

    def count(
        self,
        *,
        user_id: str | None = None,
        project_id: str | None = None,
        model_id: str | None = None,
        status: StatusLike | Iterable[StatusLike] | None = None,
        annotated: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        name_prefix: str | None = None,
        parent: str | None = None,
        forked_from: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> int:
        """Count the sessions that `list` would return on all of its pages.

        Raises:
            InvalidInput: as `list`.
        """
        filters = listing.Filters(
            user_id,
            project_id,
            model_id,
            annotated,
            metadata,
            status,
            since,
            until,
            name_prefix,
            parent,
            forked_from,
        )
        return listing.count_sessions(self._context, filters)

    def update(
        self,
        session_id: str,
        *,
        user_id: str | Keep | None = KEEP,
        project_id: str | Keep | None = KEEP,
        model_id: str | Keep | None = KEEP,
        title: str | Keep | None = KEEP,
        system_prompt: str | Keep | None = KEEP,
        context: Mapping[str, Any] | Keep | None = KEEP,
        name: str | Keep | None = KEEP,
        parent: str | Keep | None = KEEP,
    ) -> Session:
        """Change the fields that are passed; None clears a field. A context is replaced as a whole (`update_context`
        merges).

        Titles, owners and the like describe the session, and can be changed when it is closed, too. A session that gets
        another user or project keeps its name, which must be free there.

        Raises:
            SessionNotFound: no such session or parent, or it belongs to another user.
            SessionNameTaken: another session of the user and project has the name.
            SessionClosed: a context was passed, and the session is archived, expired or failed.
            InvalidInput: a value that cannot be stored, a user other than the one this ledger is limited to, or a parent
                that belongs to another user or is the session itself or one of its children.
        """
        identifier(session_id, "session_id")
        given = {
            "user_id": user_id, "project_id": project_id, "model_id": model_id, "title": title,
            "system_prompt": system_prompt, "context": context, "name": name, "parent_id": parent,
        }  # fmt: skip
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not KEEP}
        valid = validated(SessionChanges, changes)
        values: dict[str, Any] = {name: getattr(valid, name) for name in valid.model_fields_set}
        if self._context.owner is not None and values.get("user_id", self._context.owner) != self._context.owner:
            raise InvalidInput("user_id", "is not the user that this ledger is limited to")
        if "context" in values:
            self._locked_context(session_id)
        if _OF_NAMES & values.keys():
            self._rename(session_id, values)
        registration.register(self._context, values.get("project_id"), values.get("model_id"))
        self._set(session_id, values)
        if {"user_id", "project_id"} & values.keys():
            limits.arm(self._context, session_id)  # other defaults hold for it now
        return self.get(session_id, include_expired=True)

    def _rename(self, session_id: str, values: dict[str, Any]) -> None:
        """Enter the name that the session will have, and look at its parent."""
        row = self._context.execute(_LOCK_NAME, visibility_parameters(self._context, session_id)).one_or_none()
        if row is None:
            raise SessionNotFound(session_id)
        name, user_id, project_id = (
            values.get(field, getattr(row, field)) for field in ("name", "user_id", "project_id")
        )
        if values.get("parent_id") is not None:
            families.require_parent(self._context, session_id, values["parent_id"], user_id)
        if name is not None:
            names.enter(self._context, names.key_of(name, user_id, project_id), session_id)

    def update_context(
        self, session_id: str, changes: Mapping[str, Any], *, remove: Iterable[str] = ()
    ) -> dict[str, Any]:
        """Merge changes into the context: the top-level keys are replaced, those in `remove` are removed, the others
        stay.

        Changes that other writers make at the same time are kept. Like its messages, the context is part of the
        conversation.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            SessionClosed: the session is archived, expired or failed.
            InvalidInput: a value that cannot be stored as JSON.
        """
        identifier(session_id, "session_id")
        merging = validated(SessionChanges, {"context": changes}).context
        if merging is None:
            raise InvalidInput("context", "must be a dict: give what is to be merged")
        gone = _names(remove)
        before = self._locked_context(session_id)
        merged = {key: value for key, value in {**before, **merging}.items() if key not in gone}
        self._set(session_id, {"context": merged})
        return self.get(session_id, include_expired=True).context

    def delete(self, session_id: str, *, reason: str | None = None) -> None:
        """Delete a session with its messages, metadata and everything else that belongs to it, and with its children and
        theirs. The audit log records it.

        Children that belong to another user are not deleted.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            SessionHeld: the session or one of its children is on hold. Nothing was deleted.
        """
        from chatledger.services.sessions.deletion import delete_children, delete_sessions, let_go  # noqa: PLC0415 - it knows every table

        why = stated(reason)
        identifier(session_id, "session_id")
        parameters = visibility_parameters(self._context, session_id)
        row = self._context.execute(_LOCK_TO_DELETE, parameters).one_or_none()
        if row is None:
            raise SessionNotFound(session_id)
        if row.held_at is not None:
            raise SessionHeld((session_id,))
        family = families.Families(self._context, [session_id], lock=True)
        if family.held:
            raise SessionHeld(tuple(family.held))
        below = [one.session_id for one in family.below({session_id})]
        for start in range(0, len(below), _CHILDREN):
            delete_sessions(self._context, below[start : start + _CHILDREN], audit.SESSION_DELETED, reason=why)
        self._context.execute(_DELETE, parameters)
        audit.attribute(self._context, session_id, audit.SESSION_DELETED, reason=why)
        delete_children(self._context, [session_id])
        let_go(self._context, [session_id])
        logger.info("session deleted", extra={"session_id": session_id})

    def erase_user(
        self,
        user_id: str,
        *,
        keep_totals: bool = False,
        include_held: bool = False,
        dry_run: bool = False,
        reason: str | None = None,
    ) -> ErasureReceipt:
        """Erase everything of a user: sessions with all that belongs to them, timeouts, and the name in the audit log.

        `keep_totals` keeps tokens, times and costs by project and model: for each session, one under a new id, without
        owner, title, metadata or any text. Text that other users have copied into forks of their own stays theirs. All
        in this transaction; `Ledger.erase_user` uses several and then rewrites the file, in which deleted text
        otherwise remains until its space is used again.

        Raises:
            SessionHeld: a session of the user is on hold, and `include_held` was not passed.
            InvalidInput: a user other than the one that this ledger is limited to.
        """
        flags(keep_totals=keep_totals, include_held=include_held, dry_run=dry_run)
        from chatledger.services.retention import erasure  # noqa: PLC0415 - few programs erase, and it looks at everything

        wanted = erasure.wanted(self._context.owner, user_id, keep_totals, include_held, reason)
        return erasure.erase(lambda act: act(self._context), wanted, dry_run=dry_run)

    def fork(
        self,
        session_id: str,
        *,
        at: int | None = None,
        new_session_id: str | None = None,
        title: str | None = None,
        created_at: datetime | None = None,
    ) -> ForkedSession:
        """Copy a session, up to and with message `at` (all of it by default), into a new one that goes its own way.

        Messages keep their numbers, times and keys; metadata, context and limits are copied too. The copy is made
        inside the database and is active, whatever the original is; later changes of one do not touch the other.
        Pass `created_at` for a branch that was taken elsewhere.

        If the copy ends with tool calls that have no result, its `open_calls` has them. If `at` cut them off, a warning
        is logged, too.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            MessageNotFound: it has not got as far as `at`.
            SessionExists: the new id is taken.
            InvalidInput: a value that cannot be stored.
        """
        identifier(session_id, "session_id")
        if at is not None:
            whole(at, "at", least=1)
        new = new_id() if new_session_id is None else new_session_id
        given = validated(NewSession, {"session_id": new, "title": title, "created_at": created_at})
        fork.fork(self._context, session_id, new, at=at, title=title, created_at=given.created_at)
        limits.copy(self._context, session_id, new)
        logger.info("session forked", extra={"session_id": new, "forked_from": session_id})
        calls = (open_calls if at is None else report_open_calls)(self._context, new)
        return ForkedSession(**dict(self.get(new)), open_calls=tuple(calls))

    def _locked_context(self, session_id: str) -> dict[str, Any]:
        """The context of an open session, which nobody else changes until the transaction ends."""
        row = self._context.execute(_LOCK_CONTEXT, visibility_parameters(self._context, session_id)).one_or_none()
        if row is None:
            raise SessionNotFound(session_id)
        if row.status not in OPEN:
            raise SessionClosed(session_id, row.status.value)
        return dict(row.context)

    def _set(self, session_id: str, values: Mapping[str, Any]) -> None:
        now = self._context.now()
        values = {**values, **session_search_columns(**{name: values[name] for name in OF_SESSIONS if name in values})}
        bound = {name: bindparam(f"new_{name}", value, type_=sessions.c[name].type) for name, value in values.items()}
        if "context" in values:
            bound["context"] = bindparam(
                "new_context", encode_json(values["context"] or {}, "context"), type_=EncodedDocument()
            )
        statement = update(sessions).where(this_session())
        bound["updated_at"] = bindparam("new_updated_at", now, type_=Timestamp())
        if self._context.change(statement.values(bound), visibility_parameters(self._context, session_id)) == 0:
            raise SessionNotFound(session_id)


def _names(given: Iterable[str]) -> frozenset[str]:
    try:
        if not isinstance(given, str | bytes):
            return frozenset(given)
    except TypeError:
        pass
    raise InvalidInput("remove", "must be a list of keys")


# Children that one statement deletes.
_CHILDREN = 100
_OF_NAMES = {"name", "user_id", "project_id", "parent_id"}
_LOCK_TO_DELETE = select(sessions.c.held_at).where(this_session()).with_for_update()
_DELETE = delete(sessions).where(this_session())
_LOCK_NAME = (
    select(sessions.c.name, sessions.c.user_id, sessions.c.project_id)
    .where(this_session())
    .with_for_update(key_share=True)
)
_LOCK_CONTEXT = select(sessions.c.context, sessions.c.status).where(this_session()).with_for_update(key_share=True)
