from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from telephony.net.hosts_file import HostsFile, read_hosts


def test_reading() -> None:
    text = (
        "# comment\n127.0.0.1 localhost\n::1\tlocalhost ip6-localhost # both\n"
        "192.0.2.1  Pbx.example.com pbx\n192.0.2.1 pbx\nnot-an-address x\n192.0.2.9\n\n"
    )
    assert read_hosts(text) == {
        "localhost": ["127.0.0.1", "::1"],
        "ip6-localhost": ["::1"],
        "pbx.example.com": ["192.0.2.1"],
        "pbx": ["192.0.2.1"],
    }


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path, now = tmp_path / "hosts", [100.0]
    path.write_text("192.0.2.1 a\n")
    hosts = HostsFile(path, lambda: now[0])
    assert hosts.lookup("A.") == ["192.0.2.1"]
    path.write_text("192.0.2.22 a\n")
    os.utime(path, ns=(1, 1))
    assert hosts.lookup("a") == ["192.0.2.1"]
    now[0] += 6
    assert hosts.lookup("a") == ["192.0.2.22"]
    path.unlink()
    now[0] += 6
    assert hosts.lookup("a") == []


def test_localhost_is_known_without_a_file(tmp_path: Path) -> None:
    hosts = HostsFile(tmp_path / "missing")
    assert hosts.lookup("localhost") == hosts.lookup("a.localhost") == ["127.0.0.1", "::1"]
    assert hosts.lookup("example.com") == []


@given(st.text(max_size=200))
def test_no_text_raises(text: str) -> None:
    read_hosts(text)
