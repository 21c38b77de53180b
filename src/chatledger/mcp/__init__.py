"""A server of the Model Context Protocol: an agent searches and reads the conversations of a ledger.

`chatledger mcp` starts it. `chatledger.mcp.server.server_of` builds it for programs that serve it themselves, and needs
the extra `mcp`; `chatledger.mcp.tools.ConversationTools` has what its tools do, and needs nothing.
"""
