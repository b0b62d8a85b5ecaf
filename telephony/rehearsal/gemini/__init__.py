"""A far end of Gemini Live: its WebSocket, its ephemeral tokens, and a model that follows a script.

It takes ``snake_case`` keys as well as ``lowerCamelCase`` ones, as the real one does, and sends
binary frames.
"""
