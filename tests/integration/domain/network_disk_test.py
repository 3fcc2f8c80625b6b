#!/usr/bin/python3
"""A disk that QEMU reads over the network from nbdkit, which is slow, then
fails, then is gone: such a disk is backed up too, a fault of it is fatal to the
point and harmless to the chain."""

from dataclasses import dataclass

from domainlab import (Disk, check, check_equal, need_programs, say,
                       wait_until)
from faults import EXIT_FAILED, SIZE, Struck
from own_host import run_on_own_host

XML = """\
    <disk type='network' device='disk'>
      <driver name='qemu' type='raw' cache='none'/>
      <source protocol='nbd'>
        <host transport='unix' socket='{socket}'/>
      </source>
      <target dev='{target}' bus='virtio'/>
    </disk>"""


@dataclass
class ServedDisk(Disk):
    """`path` is the image that the server has."""
    socket: str = ""

    def xml(self):
        return XML.format(socket=self.socket, target=self.target)


class Server:
    """nbdkit on a raw image of 8 MiB."""

    def __init__(self, lab):
        self.lab = lab
        self.directory = lab.directory("served")
        self.directory.chmod(0o777)
        self.image = self.directory / "vdz.raw"
        self.socket = self.directory / "socket"
        self.fails = self.directory / "fails"
        lab.run("qemu-img", "create", "-q", "-f", "raw", self.image, "8M")
        lab.run("qemu-io", "-f", "raw", "-c", "write -P 77 1M 6M", self.image)
        self.start()

    def start(self):
        self.socket.unlink(missing_ok=True)
        self.child = self.lab.start(
            "nbdkit", "-f", "-U", self.socket, "--filter=error",
            "--filter=delay", "file", self.image, "error-pread-rate=100%",
            f"error-file={self.fails}", "delay-read=30ms")
        wait_until(self.socket.exists, "nbdkit listens")
        self.socket.chmod(0o777)


def test_faults_of_a_network_disk(lab):
    need_programs("nbdkit")
    server = Server(lab)
    machine = lab.machine([
        Disk("vda", lab.image("vda.qcow2", SIZE)),
        ServedDisk("vdz", server.image, "raw", socket=server.socket)]).start()
    struck = Struck(lab, ("vda",), machine=machine, whole=("vdz",))

    def failed(label):
        points = struck.oracle.points()
        struck.change()
        done = struck.oracle.backup(ok=False)
        check_equal(done.returncode, EXIT_FAILED, f"exit code; {done.stderr}")
        check("vdz: " in done.stderr, done.stderr)
        check_equal(struck.oracle.points(), points, "points")
        struck.check_nothing_left()
        say(f"{label}: {done.stderr.splitlines()[-1]}")

    server.fails.touch()
    failed("reads fail")
    server.fails.unlink()
    struck.next_is_exact()
    child = struck.start("--level", "copy", "--bandwidth", "1M")
    wait_until(lambda: any(struck.folder().glob(".*/vdz.data")), "vdz is read")
    server.fails.touch()
    struck.wait(child, EXIT_FAILED, "vdz: ")
    struck.check_nothing_left()
    server.fails.unlink()
    server.child.kill()
    server.child.wait()
    failed("the server is gone")
    machine.power_off()
    server.start()
    machine.start()
    struck.next_is_exact()
    struck.oracle.check_all()


run_on_own_host(globals())
