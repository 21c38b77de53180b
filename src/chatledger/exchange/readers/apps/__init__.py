"""Exports of applications for chats: conversations in which a message may have several answers."""
