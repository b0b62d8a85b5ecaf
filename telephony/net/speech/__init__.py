"""Speech services of a cascade, with their sockets, requests and processes.

What goes over the wire is decided in :mod:`telephony.realtime.speech`; what a cascade asks for is
:mod:`telephony.base.speech`.
"""
