"""What an application process sees of the machine, asked from inside."""

import ast
from collections.abc import Iterator

import pytest

from ovd_saas.engines.base import Prepared
from runner.running import Runner, Talk


@pytest.fixture(scope="module")
def inside(shared: Runner, puppet: tuple[str, Prepared]) -> Iterator[Talk]:
    """A conversation with a process that may use 2 processors, 200 MB and files of 3 MB."""
    process, started = shared.start(puppet, cpus=2, memory_mb=200, disk_mb=3)
    talk = Talk(started.address)
    yield talk
    talk.close()
    shared.engine.stop(process, 0)


def test_no_secret_of_the_platform_is_in_the_environment(inside: Talk) -> None:
    variables = ast.literal_eval(inside.ask("import os; answer = dict(os.environ)"))
    assert not {"DATABASE_URL", "OVD_TOKEN", "OVD_HOME", "OVD_RUN", "AWS_SECRET_ACCESS_KEY"} & set(variables)
    assert "secret" not in str(variables)


def test_hashes_and_threads_are_set_for_determinism(inside: Talk) -> None:
    variables = ast.literal_eval(inside.ask("import os; answer = dict(os.environ)"))
    assert variables["PYTHONHASHSEED"] == "0"
    assert {variables[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS", "MKL")} == {"2"}


def test_nothing_of_the_platform_can_be_imported(inside: Talk) -> None:
    found = inside.ask(
        "import importlib.util as u\n"
        "answer = [name for name in ('django', 'ovd_saas', 'httpx', 'uv', 'typer') if u.find_spec(name)]"
    )
    assert found == "[]"
    assert inside.ask("import ovd; answer = hasattr(ovd, 'App')") == "True"


def test_a_process_leads_its_own_session_and_gains_no_privileges(inside: Talk) -> None:
    assert inside.ask("import os; answer = os.getsid(0) == os.getpid()") == "True"
    assert "NoNewPrivs:\t1" in inside.ask("answer = open('/proc/self/status').read()")


def test_files_are_private_and_scratch_is_home(inside: Talk) -> None:
    mode = inside.ask("import os; open('f', 'w').close(); answer = oct(os.stat('f').st_mode & 0o777)")
    assert mode == "0o600"
    same = inside.ask("import os, tempfile; answer = os.environ['HOME'] == tempfile.gettempdir()")
    assert same == "True"


def test_core_dumps_files_and_descriptors_are_limited(inside: Talk) -> None:
    limits = ast.literal_eval(
        inside.ask(
            "import resource as r\n"
            "answer = [r.getrlimit(k) for k in (r.RLIMIT_CORE, r.RLIMIT_FSIZE, r.RLIMIT_NOFILE, r.RLIMIT_DATA)]"
        )
    )
    assert limits[0] == (1, 1)  # byte: no dump, and none for a program that collects them
    assert limits[1] == (3 << 20, 3 << 20)
    assert limits[2][1] <= 4096
    assert limits[3] == ((200 + 1024) << 20, (200 + 1024) << 20)


def test_a_file_over_the_limit_is_an_error_and_not_the_end(inside: Talk) -> None:
    code = "try:\n    open('big', 'wb').write(bytes(4 << 20))\nexcept OSError as error:\n    answer = error.strerror"
    assert inside.ask(code) == "File too large"


def test_the_process_inherits_no_other_open_files(inside: Talk) -> None:
    links = inside.ask(
        "import os\n"
        "numbers = [n for n in os.listdir('/proc/self/fd') if os.path.lexists(f'/proc/self/fd/{n}')]\n"
        "answer = [os.readlink(f'/proc/self/fd/{n}') for n in numbers]"
    )
    opened = [link for link in ast.literal_eval(links) if link.startswith("/") and link != "/dev/null"]
    assert all(link.startswith("/proc/") for link in opened), opened
