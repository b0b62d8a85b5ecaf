from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from telephony.app.workers import (
    RestartPolicy,
    Workers,
    end_with_parent,
    own_trunks,
    serve_command,
    worker_index,
)
from telephony.stacks.trunk import RegisterPolicy, Trunk
from tests.support.eventually import eventually


def test_a_worker_that_was_up_is_started_again_after_growing_waits() -> None:
    policy = RestartPolicy()
    assert [policy.after(1, 6.0) for _ in range(7)] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert policy.after(-9, 600.0) == 1.0
    assert policy.after(1, 0.1) == 2.0


def test_a_worker_that_never_came_up_is_given_up() -> None:
    assert RestartPolicy().after(1, 0.3) is None


def test_a_worker_that_ended_well_stays_ended() -> None:
    assert RestartPolicy().after(0, 600.0) is None


def test_only_the_first_worker_registers() -> None:
    trunk = Trunk("carrier", register=RegisterPolicy())
    assert own_trunks([trunk], {}) == (trunk,)
    assert own_trunks([trunk], {"TELEPHONY_WORKER": "0"}) == (trunk,)
    (other,) = own_trunks([trunk], {"TELEPHONY_WORKER": "1"})
    assert other.register is None
    assert worker_index({"TELEPHONY_WORKER": "1"}) == 1


def test_a_worker_is_this_program() -> None:
    assert serve_command(["--stack", "pjsip"])[-3:] == ["serve", "--stack", "pjsip"]


NOTE = "import os, sys; open(os.environ['NOTE'] + os.environ['TELEPHONY_WORKER'], 'a').write('x');"


def workers(folder: Path, program: str, count: int = 2) -> Workers:
    variables = [{"NOTE": str(folder / "note")} for _ in range(count)]
    return Workers([sys.executable, "-c", NOTE + program], variables)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_workers_that_end_well_end_it_all(tmp_path: Path) -> None:
    assert await workers(tmp_path, "").run() == 0
    assert names(tmp_path) == ["note0", "note1"]


async def test_one_that_can_not_start_ends_the_others(tmp_path: Path) -> None:
    program = (
        "import time; time.sleep(30) if os.environ['TELEPHONY_WORKER'] == '0' else sys.exit(1)"
    )
    assert await workers(tmp_path, program).run() == 1


async def test_a_signal_is_passed_on_to_all(tmp_path: Path) -> None:
    program = (
        "import signal, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0));"
        "open(os.environ['NOTE'] + 'ready' + os.environ['TELEPHONY_WORKER'], 'w').close();"
        "time.sleep(30)"
    )
    running = asyncio.create_task(workers(tmp_path, program).run())
    await eventually(lambda: len(names(tmp_path)) == 4)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0


async def test_a_worker_notices_that_nobody_watches_it_any_more(tmp_path: Path) -> None:
    program = (
        "import asyncio, signal, sys\n"
        "from telephony.app.workers import end_with_parent\n"
        "async def main():\n"
        "    loop = asyncio.get_running_loop()\n"
        "    asked = asyncio.Event()\n"
        "    loop.add_signal_handler(signal.SIGTERM, asked.set)\n"
        "    end_with_parent(loop)\n"
        "    await asked.wait()\n"
        "asyncio.run(main())\n"
    )
    assert callable(end_with_parent)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.close()
    output, _ = await process.communicate()
    assert process.returncode == 0
    assert b"workers.lost" in output
