"""The formats that files come and go in."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What an import reads."""

    AUTO = "auto"
    """Whichever of the others the content shows."""
    OPENAI = "openai"
    """Chat messages with `role` and `content`: a list of them, or records that hold such lists."""
    ANTHROPIC = "anthropic"
    """Anthropic's messages: `content` may be a list of blocks, such as tool_use and tool_result."""
    GEMINI = "gemini"
    """Gemini's contents: `role` and `parts`."""
    AI_SDK = "ai_sdk"
    """Messages of the AI SDK: `role` and `parts` with a type."""
    SHAREGPT = "sharegpt"
    """Records with `conversations` of `from` and `value`."""
    JSONL = "jsonl"
    """Our own export, as JSON Lines or as one JSON document."""
    CHATGPT = "chatgpt"
    """The conversations of a ChatGPT export, with their branches."""
    CLAUDE = "claude"
    """The conversations of a Claude export, with their branches."""
    OASST = "oasst"
    """OpenAssistant's message trees: a prompt with ranked replies."""
    CLAUDE_CODE = "claude_code"
    """Transcripts of Claude Code, with their branches and sub-agents."""
    CODEX = "codex"
    """Transcripts of Codex."""
    GEMINI_CLI = "gemini_cli"
    """Chats of Gemini CLI."""
    OPENCODE = "opencode"
    """Sessions that `opencode export` wrote."""
    OPEN_WEBUI = "open_webui"
    """Chats of an Open WebUI export, with their branches."""
    LIBRECHAT = "librechat"
    """A conversation of a LibreChat export, with its branches."""
    AI_STUDIO = "ai_studio"
    """Prompts of Google AI Studio, as they lie in Google Drive."""


class ExportFormat(StrEnum):
    """What an export writes. JSON Lines is the one to keep: it is imported in bounded memory."""

    JSON = "json"
    JSONL = "jsonl"
    MARKDOWN = "markdown"
    HTML = "html"
    OPENAI = "openai"
    """A training set for OpenAI's fine-tuning: `{"messages": […]}`, a line for each conversation."""
    SHAREGPT = "sharegpt"
    """A training set: `{"id": …, "conversations": […]}`, a line for each conversation."""


class TableFormat(StrEnum):
    """How a table is written, for notebooks and spreadsheets."""

    CSV = "csv"
    PARQUET = "parquet"
    """The extra `parquet`."""


class TableOf(StrEnum):
    """What the rows of a table are."""

    MESSAGES = "messages"
    SESSIONS = "sessions"


KNOWN = (
    "openai and anthropic (lists of role and content), gemini and ai_sdk (lists of role and parts), "
    "sharegpt (lists of from and value), jsonl (our own export), chatgpt and claude (the conversations of their "
    "exports), open_webui, librechat and ai_studio (exports of these), oasst (trees of prompt and replies), and "
    "claude_code, codex, gemini_cli and opencode (transcripts of coding agents)"
)
"""What the error says of a file in an unknown format."""
