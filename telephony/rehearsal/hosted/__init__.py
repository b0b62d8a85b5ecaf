"""OpenAI's side of hosted SIP calls: webhooks out, requests in, a sideband beside each call."""
