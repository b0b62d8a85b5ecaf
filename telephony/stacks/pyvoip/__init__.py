"""pyVoIP as the signalling: its calls and messages, on our transactions and with our media."""
