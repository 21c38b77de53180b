"""`python -m chatledger`."""

from __future__ import annotations

from chatledger.cli import main

if __name__ == "__main__":
    main()
