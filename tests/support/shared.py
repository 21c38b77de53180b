"""The data sets and old databases that lie beside a checkout, too large to be kept in it."""

from __future__ import annotations

import os
from pathlib import Path

DATA_VARIABLE = "CHATLEDGER_SHARED_DATA"

_BESIDE_THE_CHECKOUT = Path(__file__).parents[2].parent / "shared" / "data"


def shared_data_path() -> Path:
    """`CHATLEDGER_SHARED_DATA`, else `../shared/data` beside the checkout. It may not exist."""
    return Path(os.environ.get(DATA_VARIABLE) or _BESIDE_THE_CHECKOUT)
