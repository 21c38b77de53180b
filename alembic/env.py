"""Alembic's entry for commands in a checkout. Ledgers migrate by `chatledger.revisions`, without this file."""

from chatledger.alembic_environment import run_environment

run_environment()
