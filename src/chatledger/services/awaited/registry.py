"""Projects and models, awaited."""

from __future__ import annotations

from chatledger.services.lifted import Lifted, lifted
from chatledger.services.registry.models import Models
from chatledger.services.registry.projects import Projects


class AsyncProjects(Lifted):
    """`Projects`, awaited."""

    create = lifted(Projects.create)
    get = lifted(Projects.get)
    find = lifted(Projects.find)
    list = lifted(Projects.list)
    update = lifted(Projects.update)
    archive = lifted(Projects.archive)
    unarchive = lifted(Projects.unarchive)
    delete = lifted(Projects.delete)


class AsyncModels(Lifted):
    """`Models`, awaited."""

    register = lifted(Models.register)
    get = lifted(Models.get)
    find = lifted(Models.find)
    list = lifted(Models.list)
    update = lifted(Models.update)
    archive = lifted(Models.archive)
    unarchive = lifted(Models.unarchive)
    price = lifted(Models.price)
    prices = lifted(Models.prices)
    price_at = lifted(Models.price_at)
    remove_price = lifted(Models.remove_price)
    import_prices = lifted(Models.import_prices)
    reprice = lifted(Models.reprice)
