"""What users hand in and hold: frozen Pydantic objects, usable after the transaction is over."""

from chatledger.schemas.integrity import Finding, IntegrityReport
from chatledger.schemas.message import Message, NewMessage
from chatledger.schemas.page import Page
from chatledger.schemas.search import SearchHit, SessionHit
from chatledger.schemas.session import NewSession, Session

__all__ = [
    "Finding",
    "IntegrityReport",
    "Message",
    "NewMessage",
    "NewSession",
    "Page",
    "SearchHit",
    "Session",
    "SessionHit",
]
