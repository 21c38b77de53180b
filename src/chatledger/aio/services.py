"""The services, awaited. Each method is written once, synchronously; its asynchronous twin is declared here."""

from __future__ import annotations

from chatledger.aio.method import AsyncService, async_iterator_method, async_method
from chatledger.services.annotations.service import Annotations
from chatledger.services.audit import Audit
from chatledger.services.batches.service import Batches
from chatledger.services.comparisons.service import Comparisons
from chatledger.services.messages.service import Messages
from chatledger.services.metadata import Metadata
from chatledger.services.metrics.service import Metrics
from chatledger.services.registry.models import Models
from chatledger.services.registry.projects import Projects
from chatledger.services.search.service import Search
from chatledger.services.sessions.service import Sessions
from chatledger.services.snapshots.service import Snapshots
from chatledger.services.state import State
from chatledger.services.statistics.service import Statistics
from chatledger.services.timeouts.service import Timeouts
from chatledger.services.workflows.service import Workflows


class AsyncSessions(AsyncService):
    """`Sessions`, awaited."""

    create = async_method(Sessions.create)
    get_or_create = async_method(Sessions.get_or_create)
    get = async_method(Sessions.get)
    find = async_method(Sessions.find)
    get_by_name = async_method(Sessions.get_by_name)
    find_by_name = async_method(Sessions.find_by_name)
    list = async_method(Sessions.list)
    iterate = async_iterator_method(Sessions.iterate)
    count = async_method(Sessions.count)
    update = async_method(Sessions.update)
    update_context = async_method(Sessions.update_context)
    pause = async_method(Sessions.pause)
    resume = async_method(Sessions.resume)
    mark_idle = async_method(Sessions.mark_idle)
    archive = async_method(Sessions.archive)
    expire = async_method(Sessions.expire)
    fail = async_method(Sessions.fail)
    reopen = async_method(Sessions.reopen)
    hold = async_method(Sessions.hold)
    release = async_method(Sessions.release)
    expire_older_than = async_method(Sessions.expire_older_than)
    delete = async_method(Sessions.delete)
    erase_user = async_method(Sessions.erase_user)
    fork = async_method(Sessions.fork)


class AsyncMessages(AsyncService):
    """`Messages`, awaited."""

    append = async_method(Messages.append)
    append_many = async_method(Messages.append_many)
    history = async_method(Messages.history)
    payloads = async_method(Messages.payloads)
    open_calls = async_method(Messages.open_calls)
    iterate = async_iterator_method(Messages.iterate)
    get = async_method(Messages.get)
    find = async_method(Messages.find)
    update = async_method(Messages.update)
    delete = async_method(Messages.delete)
    truncate = async_method(Messages.truncate)
    pop = async_method(Messages.pop)
    clear = async_method(Messages.clear)
    redact = async_method(Messages.redact)


class AsyncMetadata(AsyncService):
    """`Metadata`, awaited."""

    set = async_method(Metadata.set)
    get = async_method(Metadata.get)
    all = async_method(Metadata.all)
    delete = async_method(Metadata.delete)


class AsyncState(AsyncService):
    """`State`, awaited."""

    get = async_method(State.get)
    find = async_method(State.find)
    all = async_method(State.all)
    set = async_method(State.set)
    update = async_method(State.update)
    delete = async_method(State.delete)


class AsyncSearch(AsyncService):
    """`Search`, awaited."""

    messages = async_method(Search.messages)
    sessions = async_method(Search.sessions)


class AsyncTimeouts(AsyncService):
    """`Timeouts`, awaited."""

    configure = async_method(Timeouts.configure)
    configure_default = async_method(Timeouts.configure_default)
    defaults = async_method(Timeouts.defaults)
    clear = async_method(Timeouts.clear)
    clear_default = async_method(Timeouts.clear_default)
    get = async_method(Timeouts.get)
    due = async_method(Timeouts.due)
    warn = async_method(Timeouts.warn)
    sweep = async_method(Timeouts.sweep)
    report = async_method(Timeouts.report)
    purge = async_method(Timeouts.purge)


class AsyncSnapshots(AsyncService):
    """`Snapshots`, awaited."""

    take = async_method(Snapshots.take)
    list = async_method(Snapshots.list)
    get = async_method(Snapshots.get)
    messages = async_method(Snapshots.messages)
    diff = async_method(Snapshots.diff)
    restore = async_method(Snapshots.restore)
    delete = async_method(Snapshots.delete)


class AsyncAudit(AsyncService):
    """`Audit`, awaited."""

    list = async_method(Audit.list)


class AsyncMetrics(AsyncService):
    """`Metrics`, awaited."""

    record = async_method(Metrics.record)
    record_many = async_method(Metrics.record_many)
    list = async_method(Metrics.list)
    series = async_method(Metrics.series)
    summary = async_method(Metrics.summary)
    names = async_method(Metrics.names)
    purge = async_method(Metrics.purge)


class AsyncAnnotations(AsyncService):
    """`Annotations`, awaited."""

    add = async_method(Annotations.add)
    add_many = async_method(Annotations.add_many)
    vote = async_method(Annotations.vote)
    get = async_method(Annotations.get)
    list = async_method(Annotations.list)
    update = async_method(Annotations.update)
    remove = async_method(Annotations.remove)
    search = async_method(Annotations.search)
    summary = async_method(Annotations.summary)
    by_model = async_method(Annotations.by_model)


class AsyncProjects(AsyncService):
    """`Projects`, awaited."""

    create = async_method(Projects.create)
    get = async_method(Projects.get)
    find = async_method(Projects.find)
    list = async_method(Projects.list)
    update = async_method(Projects.update)
    archive = async_method(Projects.archive)
    unarchive = async_method(Projects.unarchive)
    delete = async_method(Projects.delete)


class AsyncModels(AsyncService):
    """`Models`, awaited."""

    register = async_method(Models.register)
    get = async_method(Models.get)
    find = async_method(Models.find)
    list = async_method(Models.list)
    update = async_method(Models.update)
    archive = async_method(Models.archive)
    unarchive = async_method(Models.unarchive)
    price = async_method(Models.price)
    prices = async_method(Models.prices)
    price_at = async_method(Models.price_at)
    remove_price = async_method(Models.remove_price)
    import_prices = async_method(Models.import_prices)
    add_alias = async_method(Models.add_alias)
    remove_alias = async_method(Models.remove_alias)
    reprice = async_method(Models.reprice)


class AsyncStatistics(AsyncService):
    """`Statistics`, awaited."""

    overview = async_method(Statistics.overview)
    by_model = async_method(Statistics.by_model)
    by_project = async_method(Statistics.by_project)
    by_user = async_method(Statistics.by_user)
    by_role = async_method(Statistics.by_role)
    by_session = async_method(Statistics.by_session)
    by_hour = async_method(Statistics.by_hour)
    by_day = async_method(Statistics.by_day)
    by_week = async_method(Statistics.by_week)
    by_month = async_method(Statistics.by_month)
    activity = async_method(Statistics.activity)
    latency = async_method(Statistics.latency)
    latency_by = async_method(Statistics.latency_by)
    latency_by_day = async_method(Statistics.latency_by_day)
    errors = async_method(Statistics.errors)
    context_use = async_method(Statistics.context_use)
    compare = async_method(Statistics.compare)


class AsyncComparisons(AsyncService):
    """`Comparisons`, awaited."""

    create = async_method(Comparisons.create)
    get = async_method(Comparisons.get)
    list = async_method(Comparisons.list)
    add = async_method(Comparisons.add)
    sessions = async_method(Comparisons.sessions)
    record = async_method(Comparisons.record)
    record_many = async_method(Comparisons.record_many)
    results = async_iterator_method(Comparisons.results)
    import_results = async_method(Comparisons.import_results)
    summary = async_method(Comparisons.summary)
    pass_rates = async_method(Comparisons.pass_rates)
    delete = async_method(Comparisons.delete)


class AsyncBatches(AsyncService):
    """`Batches`, awaited."""

    create = async_method(Batches.create)
    add = async_method(Batches.add)
    get = async_method(Batches.get)
    list = async_method(Batches.list)
    claim = async_method(Batches.claim)
    heartbeat = async_method(Batches.heartbeat)
    complete = async_method(Batches.complete)
    fail = async_method(Batches.fail)
    release = async_method(Batches.release)
    pause = async_method(Batches.pause)
    resume = async_method(Batches.resume)
    cancel = async_method(Batches.cancel)
    retry_failed = async_method(Batches.retry_failed)
    progress = async_method(Batches.progress)
    item = async_method(Batches.item)
    items = async_method(Batches.items)
    iterate = async_iterator_method(Batches.iterate)
    delete = async_method(Batches.delete)


class AsyncWorkflows(AsyncService):
    """`Workflows`, awaited."""

    define = async_method(Workflows.define)
    get = async_method(Workflows.get)
    list = async_method(Workflows.list)
    start = async_method(Workflows.start)
    execution = async_method(Workflows.execution)
    executions = async_method(Workflows.executions)
    steps = async_method(Workflows.steps)
    output = async_method(Workflows.output)
    cancel = async_method(Workflows.cancel)
    retry = async_method(Workflows.retry)
    delete = async_method(Workflows.delete)
