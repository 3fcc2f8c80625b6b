"""A host of its own for a test script that kills daemons, fills file systems or
opens ports: namespaces with libvirt's directories empty and only the loop-back
interface, so that nobody else on the machine is disturbed, and nothing that the
script starts outlives it.

The script calls run_on_own_host(globals()) instead of domainlab.run().
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import domainlab

INSIDE = "BACKSTITCH_OWN_HOST"
EMPTY = ["/run", "/tmp", "/var/lib/libvirt", "/var/log/libvirt"]
COPIED = "/etc/libvirt"
# What libvirt learned of QEMU: a second less for each daemon that is started.
KNOWN = "/var/cache/libvirt"
NAMESPACES = ["--mount", "--net", "--pid", "--fork", "--kill-child",
              "--mount-proc"]


def _sh(*words):
    subprocess.run(words, check=True)


def _furnish():
    """The directories, on memory; what they hold ends with the namespace."""
    for path in EMPTY:
        os.makedirs(path, exist_ok=True)
        _sh("mount", "-t", "tmpfs", "-o", "mode=0755", "none", path)
    os.chmod("/tmp", 0o1777)
    for path in (COPIED, KNOWN):
        copy = pathlib.Path("/run/copies") / path[1:]
        shutil.copytree(path, copy, symlinks=True, dirs_exist_ok=True)
        _sh("mount", "--bind", copy, path)
    for path in ("qemu", "storage", "nwfilter", "libxl", "lxc"):
        shutil.rmtree(f"{COPIED}/{path}", ignore_errors=True)
    os.makedirs("/run/lock")
    # Where the tests' directories are made: below a short path, for sockets.
    _sh("mount", "--bind", os.environ[INSIDE], "/var/tmp")
    # As systemd does: what is mounted later, a QEMU that runs sees too.
    _sh("mount", "--make-rshared", "/")
    _sh("ip", "link", "set", "lo", "up")


def _live_as_init(child):
    """The first process of a namespace is whom orphans are given to: a QEMU
    that nobody waits for would be there for ever in libvirt's eyes."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def _run_inside(names):
    _furnish()
    child = os.fork()
    if child:
        code = _live_as_init(child)
        os._exit(code if code >= 0 else 128 - code)
    domainlab.run(names)


def _run_outside():
    parent = os.environ.get("BACKSTITCH_TEST_DIR", "/var/tmp")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="backstitch-host.",
                                              dir=parent))
    directory.chmod(0o1777)
    child = None
    try:
        child = subprocess.Popen(
            ["unshare", *NAMESPACES, sys.executable, *sys.argv],
            env={**os.environ, INSIDE: str(directory),
                 "BACKSTITCH_TEST_DIR": "/var/tmp"})
        sys.exit(child.wait())
    finally:
        if child and child.poll() is None:
            child.kill()
            child.wait()
        shutil.rmtree(directory, ignore_errors=True)


def run_on_own_host(names):
    if os.environ.get(INSIDE):
        _run_inside(names)
        return
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    allowed = os.geteuid() == 0 and subprocess.run(
        ["unshare", *NAMESPACES, "true"], capture_output=True,
        check=False).returncode == 0
    if not allowed:
        print("SKIPPED: namespaces of our own cannot be made here (root?)")
        sys.exit(77)
    _run_outside()
