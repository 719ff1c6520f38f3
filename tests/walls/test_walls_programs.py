"""What numerical programs and shells do every day works behind the walls."""

import importlib.util
from pathlib import Path

import pytest

from walls import inside

EVERYDAY = {
    "a shell": (
        "import subprocess\n"
        "script = 'set -e; echo one > a; for i in 1 2 3; do echo $i >> a; done; cp -a a b; mkdir d; mv b d/; '\\\n"
        "    'mkfifo p; (cat p > c &) ; cat d/b > p; wait; sleep 0.1; tar cf t.tar d; sort a | tail -1; '\\\n"
        "    'echo said > /dev/stderr; date > /dev/null; mktemp > /dev/null; awk \"BEGIN{print 7}\"'\n"
        "print(subprocess.run(['sh', '-c', script], capture_output=True, text=True))",
        "stdout='one\\n7\\n', stderr='said\\n'",
    ),
    "a pool of processes": (
        "import math, multiprocessing as m\n"
        "with m.get_context('fork').Pool(3) as pool: print(pool.map(math.factorial, range(6)))",
        "[1, 1, 2, 6, 24, 120]",
    ),
    "a manager of shared values": (
        "import multiprocessing as m\nwith m.Manager() as s:\n    l = s.list([1]); l.append(2); print(list(l))",
        "[1, 2]",
    ),
    "shared memory": (
        "from multiprocessing.shared_memory import SharedMemory as S\n"
        "m = S(create=True, size=9); m.buf[0] = 5; o = S(m.name); print(o.buf[0]); o.close(); m.close(); m.unlink()",
        "5",
    ),
    "threads": (
        "from concurrent.futures import ThreadPoolExecutor as T\nprint(sum(T(8).map(lambda i: i * i, range(100))))",
        "328350",
    ),
    "asyncio with a child": (
        "import asyncio\nasync def go():\n    child = await asyncio.create_subprocess_exec('true')\n"
        "    return await child.wait()\nprint(asyncio.run(go()))",
        "0",
    ),
    "sqlite": (
        "import sqlite3\nc = sqlite3.connect('a.db'); c.execute('pragma journal_mode=wal')\n"
        "c.execute('create table t(a)'); c.execute('insert into t values(1)'); c.commit()\n"
        "print(c.execute('select count(*) from t').fetchone())",
        "(1,)",
    ),
    "a local socket": (
        "import socket\ns = socket.socket(socket.AF_UNIX); s.bind('s'); s.listen()\n"
        "c = socket.socket(socket.AF_UNIX); c.connect('s'); print('connected')",
        "connected",
    ),
    "names, clocks, certificates": (
        "import getpass, os, ssl, tempfile, time\n"
        "print(getpass.getuser()[:3], tempfile.gettempdir(), len(ssl.create_default_context().get_ca_certs()) >= 0, "
        "os.cpu_count() > 0, time.localtime()[0] > 2000)",
        "app /scratch True True True",
    ),
}


@pytest.mark.parametrize("name", EVERYDAY)
def test_everyday_programs_work(name: str, mode: str, app: Path) -> None:
    code, expected = EVERYDAY[name]
    assert expected in inside.said(mode, code, app=app)


LIBRARIES = {
    "numpy": "import numpy as n; a = n.eye(300) * 2; print(float((a @ a).trace()), n.linalg.svd(a)[1][0])",
    "pyarrow": (
        "import pyarrow as p, pyarrow.parquet as q; q.write_table(p.table({'a': [1, 2]}), 't'); "
        "print(q.read_table('t').num_rows)"
    ),
}
ANSWERS = {"numpy": "1200.0 2.0", "pyarrow": "2"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_work(library: str, mode: str, app: Path) -> None:
    if importlib.util.find_spec(library) is None or inside.python_for(mode) == "/usr/bin/python3":
        pytest.skip(f"{library} is not where this user's Python is")
    enclosure = {"uid": inside.UID if mode == "root" else None, "memory_mb": 2000}
    assert inside.said(mode, LIBRARIES[library], app=app, enclosure=enclosure) == ANSWERS[library]
