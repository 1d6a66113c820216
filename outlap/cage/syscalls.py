"""Which system calls the cage refuses: what needs no Python program, and what goes round namespaces or limits.

The filter is made by libseccomp, which knows each processor's numbers (seccomp_rule_add(3)), and loaded by bubblewrap.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os

from outlap.errors import OutlapError

LIBRARY = "libseccomp.so.2"
ALLOW = 0x7FFF0000
REFUSE = 0x00050000  # with an error number in the low bits
NOT_EQUAL, EQUAL, GREATER, MASKED_EQUAL = 1, 4, 6, 7  # enum scmp_compare
CLONE_NEWUSER = 0x10000000
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
AF_NETLINK = 16
# AF_UNIX, AF_INET and AF_INET6 end at the network namespace, AF_NETLINK's routing part, too; AF_VSOCK does not.
FAMILIES = (0, *range(3, 10), *range(11, 16))

REFUSED = {
    "the file system's shape": "mount umount umount2 pivot_root chroot fsopen fsconfig fsmount fspick move_mount "
    "open_tree open_tree_attr mount_setattr name_to_handle_at open_by_handle_at fanotify_init quotactl quotactl_fd "
    "swapon swapoff",
    "namespaces": "unshare setns",
    "other processes": "ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp",
    "the kernel": "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register init_module "
    "finit_module delete_module kexec_load kexec_file_load reboot syslog acct iopl ioperm vhangup nfsservctl",
    "keyrings": "add_key request_key keyctl",
    "the clock": "clock_settime clock_settime64 clock_adjtime clock_adjtime64 adjtimex settimeofday stime",
    # Memory that belongs to no process: nobody would count it.
    "memory without an owner": "memfd_create memfd_secret shmget shmat shmctl shmdt msgget msgsnd msgrcv msgctl semget "
    "semop semctl mq_open",
}


class _Comparison(ctypes.Structure):
    _fields_ = (("argument", ctypes.c_uint), ("how", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


@functools.lru_cache(1)
def system_call_filter() -> bytes:
    """The filter as a BPF program for this machine's processor.

    Raises:
        OutlapError: libseccomp is not installed, or does not do its work.
    """
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise OutlapError(f"{LIBRARY} is not installed ({error}): sudo apt install libseccomp2.") from error
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ALLOW)))
    if not context:
        raise OutlapError(f"{LIBRARY} made no filter.")
    try:
        for names in REFUSED.values():
            for name in names.split():
                _refuse(library, context, name, errno.EPERM)
        # A library then takes the older call, whose flags can be looked at.
        _refuse(library, context, "clone3", errno.ENOSYS)
        _refuse(library, context, "clone", errno.EPERM, (0, MASKED_EQUAL, CLONE_NEWUSER, CLONE_NEWUSER))
        for command in (TIOCSTI, TIOCLINUX):
            _refuse(library, context, "ioctl", errno.EPERM, (1, MASKED_EQUAL, 0xFFFFFFFF, command))
        for family in FAMILIES:
            _refuse(library, context, "socket", errno.EAFNOSUPPORT, (0, EQUAL, family, 0))
        _refuse(library, context, "socket", errno.EAFNOSUPPORT, (0, GREATER, AF_NETLINK, 0))
        _refuse(library, context, "socket", errno.EPERM, (0, EQUAL, AF_NETLINK, 0), (2, NOT_EQUAL, 0, 0))
        return _exported(library, context)
    finally:
        library.seccomp_release(context)


def _refuse(
    library: ctypes.CDLL, context: ctypes.c_void_p, name: str, number: int, *comparisons: tuple[int, int, int, int]
) -> None:
    call = library.seccomp_syscall_resolve_name(name.encode())
    if call == -1:  # one that this version does not know by name
        return
    array = (_Comparison * max(1, len(comparisons)))(*(_Comparison(*comparison) for comparison in comparisons))
    code = library.seccomp_rule_add_array(context, ctypes.c_uint32(REFUSE | number), call, len(comparisons), array)
    if code < 0:
        raise OutlapError(f"{LIBRARY} made no rule for the system call {name}: {os.strerror(-code)}.")


def _exported(library: ctypes.CDLL, context: ctypes.c_void_p) -> bytes:
    descriptor = os.memfd_create("filter", os.MFD_CLOEXEC)
    try:
        code = library.seccomp_export_bpf(context, descriptor)
        if code < 0:
            raise OutlapError(f"{LIBRARY} did not write its filter: {os.strerror(-code)}.")
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    finally:
        os.close(descriptor)
