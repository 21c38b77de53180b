"""Stores for agent frameworks: one module for each framework, none of which is imported before you import it.

    from chatledger.interop.agent_framework import ChatledgerHistoryProvider
    from chatledger.interop.chatkit import ChatledgerStore
    from chatledger.interop.claude_agent_sdk import ChatledgerSessionStore
    from chatledger.interop.google_adk import ChatledgerSessionService
    from chatledger.interop.langchain import ChatledgerChatMessageHistory
    from chatledger.interop.langgraph import ChatledgerSaver
    from chatledger.interop.llama_index import ChatledgerChatStore
    from chatledger.interop.openai_agents import ChatledgerSession
    from chatledger.interop.pydantic_ai import load, save
    from chatledger.interop.strands import ChatledgerSessionRepository

Each framework is an extra of its own.
"""
