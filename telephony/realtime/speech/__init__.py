"""Wire protocols of speech services: speech to text and text to speech, without I/O.

What each service of a cascade says and hears on its connection; the shells that carry it are in
:mod:`telephony.net.speech`, what both serve is :mod:`telephony.base.speech`.
"""
