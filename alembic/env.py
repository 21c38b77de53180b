"""Alembic's entry. Everything of substance is in `chatledger.migrate`, so that a wheel migrates as a checkout does."""

from chatledger.migrate import run_environment

run_environment()
