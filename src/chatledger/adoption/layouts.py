"""The older layouts by name."""

from __future__ import annotations

from enum import StrEnum


class Layout(StrEnum):
    """What wrote the source."""

    AUTO = "auto"
    AI_ROUTER = "ai-router"
    CHAT_SESSIONS = "chat-sessions"
    LLM_SESSIONS = "llm-sessions"
    LLM = "llm"
    OPENAI_AGENTS = "openai-agents"
    LANGCHAIN = "langchain"
    GOOGLE_ADK = "google-adk"
