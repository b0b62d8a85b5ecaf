"""Calls whose telephone OpenAI answers: SIP ends there, and we are told over webhooks.

We decide what becomes of the call over HTTP requests, and take part in the conversation over a
WebSocket beside it (the sideband). Audio never passes through here.
"""
