"""Run one command behind Landlock and seccomp, and leave nothing of it behind.

A separate program, with the standard library alone: `python guard.py ORDER`, where ORDER is the
JSON that `llmlab.sleep.sandbox.landlock` writes. The guard stays outside the walls. It adopts every
process that the command orphans (prctl(2), PR_SET_CHILD_SUBREAPER), and when the command ends, or
the guard is told to stop, it kills them all.

Sources: landlock(7), seccomp(2), capabilities(7); the numbers are those of the kernel's headers.
"""

import ctypes
import json
import os
import platform
import resource
import signal
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
SET_NO_NEW_PRIVS, SET_CHILD_SUBREAPER, SET_SECCOMP, SET_KEEPCAPS, CAP_AMBIENT = 38, 36, 22, 8, 47
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""System calls of Landlock: the same numbers on every architecture."""
ALL_OF_FILES, READ_FILES, ONE_FILE = 2**16 - 1, 0b1101, 0b0111
"""Accesses: everything; execute, read and list; execute, write and read."""
BIND_AND_CONNECT, SOCKETS_AND_SIGNALS = 0b11, 0b11
CAP_DAC_READ_SEARCH = 2
AUDIT_ARCH, ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}, ("x86_64", "aarch64")
DENIED = {
    "socket": (41, 198),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "pidfd_getfd": (438, 438),
}
"""System calls that need no privilege and yet bypass the walls, by architecture."""
CLONE, CLONE3 = (56, 220), (435, 435)
NEW_NAMESPACES = 0x7E020000
ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38


class Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scope", ctypes.c_uint64)]


class Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


class Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    ]


class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(Instruction))]


def landlock_version() -> int:
    """The version of the kernel's Landlock interface; 0 or less if it has none."""
    return LIBC.syscall(CREATE_RULESET, None, 0, 1)


def main(order: dict) -> int:
    """Run the command of an order and give the status that a shell would give."""
    _checked(LIBC.prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    child = os.fork()
    if child == 0:
        _become(order)
    try:
        _, status = os.waitpid(child, 0)
    finally:
        _end_children()
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _become(order: dict) -> None:
    """Shut this process in and turn it into the command."""
    try:
        _limit(order["limits"], order["user"])
        os.chdir(order["folder"])
        if order["user"] is not None:
            _change_user(order["user"])
        _checked(LIBC.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _landlock(order["folder"], order["readable"], order["devices"])
        _seccomp()
        os.execve(order["command"][0], order["command"], order["environment"])
    except OSError as error:
        print(f"guard: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(127)


def _limit(limits: dict, user: int | None) -> None:
    """The kernel counts processes by user: one that others share has those of the others, too."""
    taken = 0 if user is not None else _threads_of(os.getuid())
    for kind, value in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_NPROC, taken + limits["processes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_seconds"], limits["cpu_seconds"] + 1))


def _threads_of(user: int) -> int:
    total = 0
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and process.stat().st_uid == user:
                total += len(list((process / "task").iterdir()))
        except OSError:  # ended since
            continue
    return total


def _change_user(user: int) -> None:
    """Become a user who owns nothing, and may pass through folders that only root may enter.

    Landlock still decides what is read there: a compiler may stand in root's home.
    """
    os.setgroups([])
    os.setresgid(user, user, user)
    _checked(LIBC.prctl(SET_KEEPCAPS, 1, 0, 0, 0))
    os.setresuid(user, user, user)
    one = 1 << CAP_DAC_READ_SEARCH
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    _checked(LIBC.capset(header, (ctypes.c_uint32 * 6)(one, one, one, 0, 0, 0)))
    _checked(LIBC.prctl(CAP_AMBIENT, 2, CAP_DAC_READ_SEARCH, 0, 0))


def _landlock(folder: str, readable: list[str], devices: list[str]) -> None:
    """Write beneath `folder` alone, read what is readable, use devices; no network, no signals."""
    rules = Ruleset(ALL_OF_FILES, BIND_AND_CONNECT, SOCKETS_AND_SIGNALS)
    ruleset = _checked(LIBC.syscall(CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0))
    allowed = [(folder, ALL_OF_FILES), *((path, READ_FILES) for path in readable)]
    for path, access in [*allowed, *((path, ONE_FILE) for path in devices)]:
        try:
            place = os.open(path, os.O_PATH)
        except FileNotFoundError:
            continue
        access &= ALL_OF_FILES if os.path.isdir(path) else ONE_FILE
        rule = Beneath(access, place)
        _checked(LIBC.syscall(ADD_RULE, ruleset, 1, ctypes.byref(rule), 0))
        os.close(place)
    _checked(LIBC.syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _seccomp() -> None:
    program = filter_for(platform.machine())
    instructions = (Instruction * len(program))(*(Instruction(*each) for each in program))
    loaded = Filter(len(program), instructions)
    _checked(LIBC.prctl(SET_SECCOMP, 2, ctypes.byref(loaded), 0, 0))


def filter_for(machine: str) -> list[tuple[int, int, int, int]]:
    """The filter as instructions of classic BPF: (code, jump if true, jump if false, value).

    It refuses the calls of `DENIED`, every call of another architecture, and `clone` with a new
    namespace. `clone3` hides its flags from a filter: libc falls back to `clone` where it is
    missing.

    Raises:
        ValueError: the numbers of this architecture's calls are not known here.
    """
    load, equal, any_of, at_least, give = 0x20, 0x15, 0x45, 0x35, 0x06
    number, architecture, flags = 0, 4, 16
    column = ARCHITECTURES.index(machine)
    refused = [
        line
        for numbers in DENIED.values()
        for line in ((equal, 0, 1, numbers[column]), (give, 0, 0, EPERM))
    ]
    return [
        (load, 0, 0, architecture),
        (equal, 1, 0, AUDIT_ARCH[machine]),
        (give, 0, 0, EPERM),
        (load, 0, 0, number),
        (at_least, 0, 1, 0x40000000),  # x32's calls, the same under other numbers
        (give, 0, 0, EPERM),
        *refused,
        (equal, 0, 1, CLONE3[column]),
        (give, 0, 0, ENOSYS),
        (equal, 1, 0, CLONE[column]),
        (give, 0, 0, ALLOW),
        (load, 0, 0, flags),
        (any_of, 0, 1, NEW_NAMESPACES),
        (give, 0, 0, EPERM),
        (give, 0, 0, ALLOW),
    ]


def _end_children() -> None:
    """Kill the processes that are left, and their children, until none remains."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    own = Path(f"/proc/self/task/{os.getpid()}/children")
    while children := own.read_text(encoding="ascii").split():
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        for child in children:
            os.waitpid(int(child), 0)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
