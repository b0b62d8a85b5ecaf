"""PJSIP (pjsua2) behind the ``Signaling`` interface: its SIP, its media, our calls."""
