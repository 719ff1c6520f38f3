"""How the end of a process is worded."""

import signal

import pytest

from ovd_saas.runner import endings
from ovd_saas.runner.endings import Ending, Exit


def end(
    exit: Exit, *, failure: str | None = None, asked: bool = False, ready: bool = True, renewed: bool = False
) -> Ending:
    return endings.of_process(
        exit,
        memory_mb=512,
        tasks=100,
        disk_mb=256,
        lease_seconds=10,
        failure=failure,
        asked=asked,
        ready=ready,
        renewed=renewed,
    )


def exit(
    code: int | None = None,
    signal: int | None = None,
    *,
    peak_mb: int = 10,
    killed_for: str | None = None,
    line: str = "",
) -> Exit:
    return Exit(code, signal, peak_mb << 20, killed_for, line)


@pytest.mark.parametrize(
    ("given", "asked", "reason", "said"),
    [
        (exit(signal=9, killed_for="memory"), False, "memory", "reached the memory limit of 512 MB"),
        (exit(signal=9, peak_mb=513), False, "memory", "more than its memory limit of 512 MB"),
        (exit(signal=9, killed_for="tasks"), False, "tasks", "more than 100 processes"),
        (exit(signal=9, killed_for="disk"), False, "disk", "filled its disk limit of 256 MB"),
        (exit(signal=9, killed_for="slow_start"), False, "slow_start", "not ready in time"),
        (exit(0), True, "stopped", "as asked"),
        (exit(signal=9, killed_for="stop"), True, "stopped", "as asked"),
        (exit(signal=9, killed_for="grace"), True, "stopped", "did not finish within its grace"),
        (exit(3, line="KeyError: 'x'"), False, "exit", "exit code 3: KeyError: 'x'"),
        (exit(3, line="KeyError: 'x'"), True, "exit", "exit code 3: KeyError: 'x'"),
        (exit(0), False, "exit", "nobody had asked"),
        (exit(signal=signal.SIGSEGV), False, "signal", "SIGSEGV"),
        (exit(signal=signal.SIGKILL), False, "signal", "from outside"),
        (exit(signal=signal.SIGALRM), False, "lease", "lease for 10 s"),
        (exit(signal=63), False, "signal", "63"),
    ],
)
def test_an_end_has_a_reason_and_a_sentence(given: Exit, asked: bool, reason: str, said: str) -> None:
    ending = end(given, asked=asked)
    assert ending.reason == reason
    assert said in ending.message


def test_what_the_process_said_before_it_failed_is_the_reason() -> None:
    assert end(exit(1), failure="import failed: no module x", ready=False) == Ending(
        "setup", "import failed: no module x"
    )


def test_an_end_before_ready_says_so() -> None:
    assert "before it was ready" in end(exit(3), ready=False).message
