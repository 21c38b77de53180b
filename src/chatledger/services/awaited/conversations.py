"""Sessions and their messages, awaited."""

from __future__ import annotations

from chatledger.services.lifted import Lifted, lifted, lifted_iterator
from chatledger.services.messages.service import Messages
from chatledger.services.metadata import Metadata
from chatledger.services.search.service import Search
from chatledger.services.sessions.service import Sessions


class AsyncSessions(Lifted):
    """`Sessions`, awaited."""

    create = lifted(Sessions.create)
    get = lifted(Sessions.get)
    find = lifted(Sessions.find)
    list = lifted(Sessions.list)
    update = lifted(Sessions.update)
    update_context = lifted(Sessions.update_context)
    pause = lifted(Sessions.pause)
    resume = lifted(Sessions.resume)
    mark_idle = lifted(Sessions.mark_idle)
    archive = lifted(Sessions.archive)
    expire = lifted(Sessions.expire)
    fail = lifted(Sessions.fail)
    reopen = lifted(Sessions.reopen)
    hold = lifted(Sessions.hold)
    release = lifted(Sessions.release)
    expire_older_than = lifted(Sessions.expire_older_than)
    delete = lifted(Sessions.delete)
    erase_user = lifted(Sessions.erase_user)
    fork = lifted(Sessions.fork)


class AsyncMessages(Lifted):
    """`Messages`, awaited."""

    append = lifted(Messages.append)
    append_many = lifted(Messages.append_many)
    history = lifted(Messages.history)
    iterate = lifted_iterator(Messages.iterate)
    get = lifted(Messages.get)
    find = lifted(Messages.find)
    pop = lifted(Messages.pop)
    clear = lifted(Messages.clear)
    redact = lifted(Messages.redact)


class AsyncMetadata(Lifted):
    """`Metadata`, awaited."""

    set = lifted(Metadata.set)
    get = lifted(Metadata.get)
    all = lifted(Metadata.all)
    delete = lifted(Metadata.delete)


class AsyncSearch(Lifted):
    """`Search`, awaited."""

    messages = lifted(Search.messages)
    sessions = lifted(Search.sessions)
