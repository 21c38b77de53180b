"""All of the package, imported: for processes that are forked from one that has done it already."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil

import chatledger

for module in pkgutil.walk_packages(chatledger.__path__, "chatledger."):
    if not module.name.endswith("__main__"):
        with contextlib.suppress(ImportError):  # what needs a library that is not installed
            importlib.import_module(module.name)
importlib.import_module("sqlalchemy.dialects.sqlite.pysqlite")
