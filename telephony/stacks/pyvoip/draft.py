"""A message that pyVoIP wrote, before it leaves: what it got wrong is put right here."""

from __future__ import annotations


class Draft:
    """Start line, headers in their order, and body. Names match in any case.

    Octets that are no UTF-8 stay in it as surrogates, and are octets again in :meth:`encode`.
    """

    __slots__ = ("_headers", "body", "start_line")

    def __init__(self, text: str) -> None:
        head, _, body = text.partition("\r\n\r\n")
        self.start_line, *lines = head.split("\r\n")
        self.body = body.encode("utf-8", "surrogateescape")
        self._headers: list[tuple[str, str]] = []
        for line in lines:
            name, _, value = line.partition(":")
            self._headers.append((name.strip(), value.strip()))

    @property
    def method(self) -> str:
        """The method of a request; ``SIP/2.0`` for a response."""
        return self.start_line.partition(" ")[0]

    def get(self, name: str) -> str | None:
        """Return the first value of ``name``."""
        wanted = name.lower()
        return next((value for known, value in self._headers if known.lower() == wanted), None)

    def set(self, name: str, *values: str) -> None:
        """Let ``name`` have these values, where the first of it stood; none takes it out."""
        wanted = name.lower()
        names = [known.lower() for known, _ in self._headers]
        place = names.index(wanted) if wanted in names else len(names)
        kept = [(known, value) for known, value in self._headers if known.lower() != wanted]
        self._headers = [*kept[:place], *((name, value) for value in values), *kept[place:]]

    def add(self, name: str, value: str) -> None:
        self._headers.append((name, value))

    def describe(self, content_type: str, body: bytes) -> None:
        """Carry ``body``; an empty one has no type."""
        self.body = body
        self.set("Content-Type", *([content_type] if body else []))

    def encode(self) -> bytes:
        """Return the message; its Content-Length is that of the body, in octets."""
        self.set("Content-Length")
        self.add("Content-Length", str(len(self.body)))
        lines = [self.start_line, *(f"{name}: {value}" for name, value in self._headers)]
        head = "\r\n".join((*lines, "", ""))
        return head.encode("utf-8", "surrogateescape") + self.body
