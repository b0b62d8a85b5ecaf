"""Far ends we own of the speech services: they hear the phrases and say the prompts we know.

Deepgram, ElevenLabs and OpenAI as their own SDKs speak to them, on one port, without key or
internet.
"""
