"""Which system calls are refused, asked in real processes, and the filter read for both kinds of machine."""

import ast
import errno
import platform
import signal
import struct
from pathlib import Path

import pytest

from ovd.walls import seccomp, syscalls
from walls import inside

CALL = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    answer = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(each) for each in arguments])
    return errno.errorcode[ctypes.get_errno()] if answer < 0 else answer
"""
DANGEROUS = (
    "mount umount2 pivot_root unshare setns chroot open_tree move_mount mount_setattr fsopen open_by_handle_at "
    "name_to_handle_at ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd bpf perf_event_open userfaultfd "
    "keyctl add_key request_key io_uring_setup io_setup kexec_load init_module reboot swapon acct quotactl syslog "
    "settimeofday setuid setresuid setgroups capset seccomp shmget msgget semget mq_open fanotify_init vmsplice "
    "memfd_secret sync"
)
NUMBERS = {  # x86_64, of those that our own table does not hold
    **{"mount": 165, "umount2": 166, "pivot_root": 155, "unshare": 272, "chroot": 161, "open_tree": 428},
    **{"move_mount": 429, "mount_setattr": 442, "fsopen": 430, "seccomp": 317, "setuid": 105, "setresuid": 117},
    **{"setgroups": 116, "capset": 126, "shmget": 29, "msgget": 68, "semget": 64, "mq_open": 240, "io_setup": 206},
    **{"memfd_secret": 447, "sync": 162},
}
here_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of x86_64")


@here_x86
def test_dangerous_calls_are_refused(mode: str, app: Path) -> None:
    numbers = {**syscalls.numbers("x86_64"), **NUMBERS}
    asked = {name: numbers[name] for name in DANGEROUS.split()}
    code = CALL + f"print({{name: call(number, 0, 0, 0, 0, 0, 0) for name, number in {asked}.items()}})"
    answers = ast.literal_eval(inside.said(mode, code, app=app))
    assert {name: answer for name, answer in answers.items() if answer != "EPERM"} == {}


@here_x86
def test_no_namespace_can_be_made_by_cloning_either(mode: str, app: Path) -> None:
    code = CALL + (
        "flags = [0x10000000, 0x20000, 0x20000000, 0x40000000, 0x08000000, 0x04000000, 0x02000000]\n"
        "print([call(56, flag | 17, 0, 0, 0, 0) for flag in flags], call(435, 0, 0))"
    )
    assert inside.said(mode, code, app=app) == str(["EPERM"] * 7) + " ENOSYS"


@here_x86
def test_calls_of_other_tables_do_not_get_past_the_filter(mode: str, app: Path) -> None:
    """Mount by its number in the table of x32, and any call by way of the 32-bit table."""
    assert inside.said(mode, CALL + "print(call(0x40000000 | 165, 0, 0, 0, 0, 0))", app=app) == "ENOSYS"
    code = """
import ctypes, mmap, os
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid); int 0x80; ret
child = os.fork()
if child == 0:
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert int(inside.said(mode, code, app=app)) in (-signal.SIGSYS, -signal.SIGSEGV)  # not there in every kernel


def test_nothing_can_be_typed_into_a_terminal_and_files_keep_their_ordinary_calls(mode: str, app: Path) -> None:
    code = """
import fcntl, os
def tried(number):
    try:
        return fcntl.ioctl(1, number, bytes(8)) and 0
    except OSError as error:
        return error.errno
print([tried(number) for number in (0x5412, 0x541C, 0x40049409, 0x1234)], os.isatty(1))
"""
    expected = [errno.EPERM, errno.EPERM, errno.EOPNOTSUPP, errno.ENOTTY]
    assert inside.said(mode, code, app=app) == f"{expected} False"


def test_the_signal_at_the_runners_end_cannot_be_called_off(mode: str, app: Path) -> None:
    code = """
import ctypes
libc = ctypes.CDLL(None)
found = ctypes.c_int(-1)
asked = libc.prctl(1, 0, 0, 0, 0)
libc.prctl(2, ctypes.byref(found), 0, 0, 0)
print(asked, found.value)
"""
    assert inside.said(mode, code, app=app) == f"0 {signal.SIGKILL.value}"  # answered as if, and not done


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_allows_what_its_list_names_and_nothing_else(machine: str) -> None:
    numbers = syscalls.numbers(machine)
    program = seccomp.of_application(machine, local=True, network=False, devices=False).program
    allowed = {numbers[name] for name in syscalls.ALLOWED if name in numbers}
    judged = {numbers[name] for name in ("socket", "socketpair", "clone", "clone3", "ioctl", "prctl", "personality")}
    unsupported = {numbers[name] for name in syscalls.UNSUPPORTED}
    for number in range(syscalls.NEWEST + 1):
        if number in judged:
            continue
        answer = judge(program, machine, number)
        expected = errno.EOPNOTSUPP if number in unsupported else 0 if number in allowed else errno.EPERM
        assert answer == expected, number
    for number in (syscalls.NEWEST + 1, 1 << 30, (1 << 30) | 1, 0xFFFFFFFF):
        assert judge(program, machine, number) == errno.ENOSYS
    other = {"x86_64": "aarch64", "aarch64": "x86_64"}[machine]
    assert judge(program, other, numbers["read"]) == KILLED


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_sockets_are_those_that_were_asked_for(machine: str) -> None:
    number = syscalls.numbers(machine)["socket"]
    for local in (False, True):
        for network in (False, True):
            program = seccomp.of_application(machine, local=local, network=network, devices=False).program
            made = {family for family in range(64) if judge(program, machine, number, family) == 0}
            assert made == ({1} if local else set()) | ({2, 10} if network else set())


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_template_may_make_namespaces_but_not_trace(machine: str) -> None:
    numbers = syscalls.numbers(machine)
    program = seccomp.of_template(machine).program
    assert judge(program, machine, numbers["clone"], 0x10000000) == 0
    assert {judge(program, machine, numbers[n]) for n in syscalls.TEMPLATE_REFUSED if n in numbers} == {errno.EPERM}


def test_a_machine_without_a_table_is_told() -> None:
    with pytest.raises(OSError, match="riscv64"):
        syscalls.numbers("riscv64")


KILLED = -1


def judge(program: bytes, machine: str, number: int, *arguments: int) -> int:
    """Run a filter as the kernel does: 0 when allowed, the error number, or KILLED."""
    architecture = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[machine]
    passed = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=IIQ6Q", number, architecture, 0, *passed)
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("=HBBI", program, 8 * at)
        at += 1
        if code == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif code == 0x06:
            action, answer = value & 0xFFFF0000, value & 0xFFFF
            return {0x7FFF0000: 0, 0x80000000: KILLED}.get(action, answer)
        elif code == 0x05:
            at += value
        else:
            holds = {
                0x15: accumulator == value,
                0x25: accumulator > value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }[code]
            at += if_true if holds else if_false
