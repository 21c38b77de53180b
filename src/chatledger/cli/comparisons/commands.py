"""Every command of `chatledger compare`, in the order of its help."""

from chatledger.cli.comparisons import results, runs, statistics
from chatledger.cli.comparisons.compare import app

__all__ = ["app", "results", "runs", "statistics"]
