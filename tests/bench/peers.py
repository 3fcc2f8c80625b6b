"""The programs that backstitch is measured beside."""

import contextlib
import os
import pathlib
import subprocess

import run

LAB = pathlib.Path(__file__).resolve().parent.parent / "support" / "lab"


def build_disk(path, size, random_mib=1024, text_mib=1024):
    run.run(LAB / "disk-build.sh", path, size, random_mib, text_mib)


class VirtualMachine:
    """A domain that runs under libvirt on a disk of its own, and
    virtnbdbackup, which backs it up."""

    def __init__(self, directory, disk, name="backstitch-bench"):
        self.directory = pathlib.Path(directory)
        self.disk = pathlib.Path(disk)
        self.name = name
        self.environment = dict(os.environ, LAB=str(self.directory))
        self.directory.mkdir(exist_ok=True)
        # QEMU runs as a user of its own and must get there.
        for path in [self.directory, self.directory.parent]:
            path.chmod(0o755)
        self.disk.chmod(0o666)

    def _vm(self, verb, *words):
        return run.run(LAB / "vm.sh", verb, self.name, *words,
                       env=self.environment)

    def __enter__(self):
        start_libvirt()
        run.run(LAB / "guest-build.sh", self.directory / "guest")
        self._vm("down")
        self._vm("up", self.disk)
        return self

    def __exit__(self, *_):
        self._vm("down")

    def scatter(self, seed, pieces, size=65536, region=8 << 30):
        self._vm("ctl", f"vmio scatter /dev/vda {seed} {pieces} {size} 0 "
                        f"{region}")

    def backup(self, output, level, *options):
        return run.measure("virtnbdbackup", "-d", self.name, "-l", level,
                           "-o", output, *options)


    def forget_checkpoints(self, prefix):
        names = run.run("virsh", "-q", "-c", "qemu:///system",
                        "checkpoint-list", "--name", self.name).split()
        for name in names:
            if name.startswith(prefix):
                run.run("virsh", "-q", "-c", "qemu:///system",
                        "checkpoint-delete", self.name, name)


def start_libvirt():
    """Starts libvirtd where no service manager has done it."""
    if not _libvirt_answers():
        for daemon in ["virtlogd", "libvirtd"]:
            # Fails where one of them runs already.
            subprocess.run([daemon, "--daemon"], check=False,
                           capture_output=True)
        run.wait_for(_libvirt_answers, 10, "libvirtd")


def _libvirt_answers():
    return subprocess.run(["virsh", "-q", "-c", "qemu:///system", "list"],
                          check=False, capture_output=True).returncode == 0


def virtnbdrestore(archive, output):
    return run.measure("virtnbdrestore", "-i", archive, "-o", output,
                       "-a", "restore")


def nbdcopy(image, output, *options):
    """From a qemu-nbd that it starts itself, as backstitch does."""
    return run.measure("nbdcopy", *options, "--",
                       "[", "qemu-nbd", "-r", "-f", "qcow2", image, "]",
                       output)


def convert(image, output, *options, source="qcow2", target="raw"):
    return run.measure("qemu-img", "convert", "-f", source, "-O", target,
                       "-W", "-m", "16", *options, image, output)


def _daemon(image, file, writable):
    discard = ",discard=unmap" if writable else ",read-only=on"
    return subprocess.Popen([
        "qemu-storage-daemon",
        "--blockdev", f"driver=file,node-name=file,filename={image}{discard}",
        "--blockdev", f"driver=qcow2,node-name=disk,file=file{discard}",
        "--export", f"type=fuse,id=export,node-name=disk,mountpoint={file},"
                    f"writable={'on' if writable else 'off'}"])


@contextlib.contextmanager
def qemu_export(image, file, writable=False):
    """A qcow2's content as a raw file, through qemu-storage-daemon."""
    file = pathlib.Path(file)
    file.touch()
    daemon = _daemon(image, file, writable)
    try:
        run.wait_for(lambda: file.stat().st_size > 0, 10, "QEMU's export")
        yield file
    finally:
        daemon.terminate()
        daemon.wait(60)


@contextlib.contextmanager
def passthrough(program, file, mountpoint):
    """A raw file through the barest FUSE driver."""
    mountpoint = pathlib.Path(mountpoint)
    mountpoint.mkdir(exist_ok=True)
    driver = subprocess.Popen([str(program), str(file), str(mountpoint)])
    try:
        run.wait_for(lambda: os.path.ismount(mountpoint), 10, "the mount")
        yield mountpoint / "disk.raw"
    finally:
        driver.terminate()
        driver.wait(30)


def set_read_ahead(file, kib):
    """For the file system that a file is on, as a mount made by root does."""
    device = os.stat(file).st_dev
    path = f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}"
    with open(f"{path}/read_ahead_kb", "w", encoding="ascii") as setting:
        setting.write(str(kib))


def scatter(image, scratch, rng, pieces, size=65536):
    """Writes pieces of random bytes to size-aligned places of a qcow2."""
    with qemu_export(image, scratch, writable=True) as file:
        fd = os.open(file, os.O_RDWR)
        try:
            places = os.fstat(fd).st_size // size
            for place in rng.sample(range(places), pieces):
                os.pwrite(fd, rng.randbytes(size), place * size)
        finally:
            os.close(fd)
    scratch.unlink()
