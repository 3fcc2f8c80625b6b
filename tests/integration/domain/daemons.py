"""libvirtd and virtlogd, started by hand where none answers."""

import os
import signal
import socket
import subprocess

from checks import need_programs, wait_until

URI = "qemu:///system"
LOG_SOCKET = "/run/libvirt/virtlogd-sock"
PID_FILE = "/run/libvirtd.pid"


def answers():
    return subprocess.run(["virsh", "-q", "-c", URI, "list"], check=False,
                          capture_output=True, timeout=30).returncode == 0


def _log_daemon_answers():
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(LOG_SOCKET) == 0


class Daemons:
    """Those that were not there are children of the test, and end with it.
    `tell` is told of each, as guard.py wants it."""

    def __init__(self, tell):
        self._tell = tell
        self._children = {}
        self.options = {}  # a daemon's name -> further arguments

    def ensure(self):
        if not answers():
            need_programs("libvirtd", "virtlogd")
            if not _log_daemon_answers():
                self._start("virtlogd")
                wait_until(_log_daemon_answers, "virtlogd answers")
            self._start("libvirtd")
        wait_until(answers, "libvirtd answers")

    def _start(self, name):
        # Its own session: what stops the test must not stop it before the
        # machines are gone.
        self._children[name] = subprocess.Popen(
            [name, *self.options.get(name, [])], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self._tell(f"daemon {self._children[name].pid}")

    def pid(self):
        """That of libvirtd, whoever started it."""
        with open(PID_FILE, encoding="ascii") as file:
            return int(file.read())

    def restart_libvirtd(self, how=signal.SIGTERM):
        """Ends it, waits until it is gone, and starts another; the machines
        go on."""
        self._end_libvirtd(how)
        self.ensure()

    def _end_libvirtd(self, how):
        child = self._children.pop("libvirtd", None)
        if child:
            child.send_signal(how)
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:  # it waits for its workers
                child.kill()
                child.wait()
            return
        pid = self.pid()
        os.kill(pid, how)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"),
                   "libvirtd has ended", 30)

    def stop(self):
        """Ends what this object has started."""
        for child in reversed(list(self._children.values())):
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._children.clear()
