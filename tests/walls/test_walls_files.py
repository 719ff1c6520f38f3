"""What the code of an application sees of files and processes, and what it can change."""

import ast
import tempfile
from pathlib import Path

import pytest

from walls import inside, launching

TRY = """
def tried(what):
    try:
        return repr(what())
    except OSError as error:
        return "refused" if error.errno in (1, 13, 30) else type(error).__name__  # EPERM, EACCES, read-only
"""


def test_the_room_holds_the_system_and_what_is_the_applications_own(mode: str, app: Path) -> None:
    seen = set(ast.literal_eval(inside.said(mode, "import os; print(os.listdir('/'))", app=app)))
    own = {"app", "model", "scratch", "usr", "etc", "dev", "proc", "sys", "tmp", "var", "run", "bin", "sbin", "lib"}
    pythons = {Path(path).parts[1] for path in (*inside.prefixes(inside.python_for(mode)), inside.SDK)}
    assert own - {"sbin"} <= seen
    assert seen <= own | {"lib64", "lib32", "libx32"} | pythons


def test_the_release_is_there_and_cannot_be_changed(mode: str, app: Path) -> None:
    code = TRY + (
        "import app, os\n"
        "print(app.value, tried(lambda: open('/app/app.py', 'a')), tried(lambda: open('/app/new', 'w')), "
        "tried(lambda: os.unlink('/app/app.py')), tried(lambda: os.chmod('/app/app.py', 0o777)))"
    )
    assert inside.said(mode, code, app=app) == "1 refused refused refused refused"
    assert (app / "app.py").read_text() == "value = 1\n"


def test_nothing_but_scratch_and_shared_memory_can_be_written(mode: str, app: Path) -> None:
    code = """
import os
written = []
for folder, folders, files in os.walk("/"):
    if folder.startswith(("/proc", "/usr/share", "/usr/lib", "/usr/include")):
        folders.clear()
        continue
    try:
        with open(f"{folder}/.try", "w"):
            written.append(folder)
        os.unlink(f"{folder}/.try")
    except OSError:
        pass
print(sorted(written))
"""
    assert inside.said(mode, code, app=app) == "['/dev/shm', '/scratch']"


def test_scratch_is_empty_private_and_bounded(mode: str, app: Path) -> None:
    code = TRY + (
        "import os\n"
        "print(os.getcwd(), os.listdir('.'), oct(os.stat('/scratch').st_mode & 0o777), "
        "os.stat('/scratch').st_uid == os.getuid(), os.path.realpath('/tmp'))\n"
        "def fill():\n"
        "    for number in range(100):\n"
        "        with open(f'{number}', 'wb') as file: file.write(bytes(1 << 20))\n"
        "def many():\n"
        "    for number in range(100000): open(f'e{number}', 'w').close()\n"
        "print(tried(fill), tried(many))"
    )
    told = inside.said(mode, code, app=app, enclosure={"disk_mb": 8, "uid": inside.UID if mode == "root" else None})
    shown = (*inside.prefixes(inside.python_for(mode)), inside.SDK)
    temporary = "/tmp" if any(str(path).startswith("/tmp/") for path in shown) else "/scratch"  # what is shown stays
    assert told.splitlines() == [f"/scratch [] 0o700 True {temporary}", "OSError OSError"]


def test_a_scratch_folder_on_disk_keeps_what_was_written(mode: str, app: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o777)
        inside.said(mode, "open('/scratch/kept', 'w').write('x')", app=app, scratch=scratch)
        assert (Path(scratch) / "kept").read_text() == "x"


def test_no_link_leads_out_of_scratch(mode: str, app: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "secret").write_text("of another")
        Path(place).chmod(0o755)
        scratch = Path(place) / "scratch"
        scratch.mkdir()
        scratch.chmod(0o777)
        code = TRY + (
            f"import os\nos.symlink({place!r}, '/scratch/out')\nos.symlink('../secret', '/scratch/up')\n"
            "print(tried(lambda: open('/scratch/out/secret')), tried(lambda: open('/scratch/up')), "
            "tried(lambda: open('/scratch/../../secret')))"
        )
        told = inside.said(mode, code, app=app, scratch=str(scratch))
        assert told == "FileNotFoundError FileNotFoundError FileNotFoundError"


def test_only_its_own_processes_are_there(mode: str, app: Path) -> None:
    code = TRY + (
        "import os\n"
        "print(os.getpid(), [name for name in os.listdir('/proc') if name.isdigit()], os.getppid(), "
        "tried(lambda: os.kill(2, 0)))"
    )
    assert inside.said(mode, code, app=app) == "1 ['1'] 0 ProcessLookupError"


def test_it_is_another_user_than_the_platforms_and_not_root_inside(mode: str, app: Path) -> None:
    code = "import os; print(os.getuid(), os.getgid(), open('/proc/self/uid_map').read().split())"
    uid, gid, users = inside.said(mode, code, app=app).split(maxsplit=2)
    expected = (inside.UID, ["0", str(launching.BASE), "1024"]) if mode == "root" else (1, ["1", "0", "1"])
    assert (int(uid), int(gid), ast.literal_eval(users)) == (expected[0], expected[0], expected[1])


def test_no_right_is_left_and_none_can_be_gained(mode: str, app: Path) -> None:
    status = inside.said(mode, "print(open('/proc/self/status').read())", app=app)
    found = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
    assert {found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0000000000000000"}
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")


def test_the_kernels_own_files_cannot_be_changed(mode: str, app: Path) -> None:
    code = TRY + (
        "names = ['/proc/sys/kernel/hostname', '/proc/sys/vm/drop_caches', '/proc/self/oom_score_adj', "
        "'/proc/sys/net/ipv4/ip_forward', '/proc/self/uid_map']\n"
        "print([tried(lambda: open(name, 'w').write('1')) for name in names])"
    )
    assert set(ast.literal_eval(inside.said(mode, code, app=app))) == {"refused"}


def test_where_no_room_can_be_made_landlock_still_keeps_it_to_its_files(mode: str, app: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        other, scratch = Path(place) / "other", Path(place) / "scratch"
        other.write_text("of another")
        scratch.mkdir()
        scratch.chmod(0o777)
        code = TRY + (
            "import os, socket\n"
            f"open('{scratch}/own', 'w').write('x')\n"
            f"print(tried(lambda: open('{other}')), tried(lambda: open('{other}', 'w')),"
            " tried(lambda: os.listdir('/')),"
            f" open('{app}/app.py').read().strip(), tried(lambda: open('{app}/app.py', 'w')),"
            " tried(lambda: open('/proc/1/environ').read()), tried(lambda: socket.socket(socket.AF_UNIX)),"
            " tried(lambda: os.kill(os.getppid(), 0)))"
        )
        told = inside.said(
            mode,
            code,
            app=app,
            walls=("landlock", "seccomp", "privileges", "limits"),
            enclosure={
                "uid": None,
                "readable": [str(app), *inside.prefixes(inside.python_for(mode)), str(inside.SDK), str(inside.HERE)],
                "writable": [str(scratch)],
            },
        )
    assert told == "refused refused refused value = 1 refused refused refused refused"


def test_a_container_that_hides_parts_of_proc_leaves_a_smaller_one(app: Path, missing: dict[str, str]) -> None:
    if missing:
        pytest.skip(f"This machine lacks walls: {missing}")
    code = (
        "import os, subprocess\n"
        "names = os.listdir('/proc')\n"
        "print('meminfo' in names, 'MemTotal' in open('/proc/meminfo').read(), "
        "[name for name in names if name.isdigit()], os.getpid(), os.getuid(), "
        "subprocess.run(['sh', '-c', 'echo ran'], capture_output=True, text=True).stdout.strip())"
    )
    assert inside.said("ordinary", code, app=app, masked=True) == "True True [] 1 1 ran"
