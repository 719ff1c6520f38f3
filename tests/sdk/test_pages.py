"""A template's memory in huge pages, in a process of its own."""

import subprocess
import sys

CODE = """
from ovd import pages
kept = [bytes([number % 256]) * (1 << 20) for number in range(64)]
huge = pages.collapse()
intact = all(piece == bytes([number % 256]) * (1 << 20) for number, piece in enumerate(kept))
found = [int(l.split()[1]) << 10 for l in open("/proc/self/smaps_rollup") if l.startswith("AnonHugePages")]
print(intact, 0 <= huge <= 80 << 20, found[0] >= huge)
"""


def test_memory_stays_as_it_is_in_larger_pages() -> None:
    """As many as the kernel has; none is no mistake."""
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split() == ["True", "True", "True"]
