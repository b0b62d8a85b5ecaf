"""Speech services that know the prompts that ship, and need no model, key or internet.

A transcriber and a voice in this process, and far ends that Deepgram's, ElevenLabs' and OpenAI's
own SDKs speak to, all on one port.
"""
