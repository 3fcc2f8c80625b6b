"""Full backup of a disk: time, size, memory."""

import ours
import peers
import run
from report import Row, limit

MIB = 1 << 20


def _backstitch(context, disk, name, *options):
    def once():
        path = context.fresh(name)
        repository = ours.Repository(path)
        usage = repository.backup(disk, "--level", "full", *options)
        return usage, repository.stored_bytes()
    return once


def _virtnbdbackup(context, machine, name, *options):
    def once():
        path = context.fresh(name)
        usage = machine.backup(path, "full", *options)
        stored = sum(file.stat().st_size for file in path.rglob("*.data"))
        return usage, stored
    return once


def _nbdcopy(context, disk, *options):
    def once():
        path = context.fresh("nbdcopy.raw")
        return peers.nbdcopy(disk, path, *options), path.stat().st_size
    return once


def measure(context):
    disk = context.private_copy(context.disk(), "full.qcow2")
    theirs = context.private_copy(context.disk(), "full-vm.qcow2")
    with peers.VirtualMachine(context.work / "lab", theirs) as machine:
        results = run.interleave({
            "zstd": _backstitch(context, disk, "full-zstd"),
            "none": _backstitch(context, disk, "full-none",
                                "--compression", "none"),
            "plain": _virtnbdbackup(context, machine, "full-plain"),
            "lz4": _virtnbdbackup(context, machine, "full-lz4", "-z"),
            "nbdcopy": _nbdcopy(context, disk),
            "nbdcopy-flush": _nbdcopy(context, disk, "--flush"),
        }, context.rounds)
    for name in ["full-zstd", "full-none", "full-plain", "full-lz4",
                 "nbdcopy.raw", "full.qcow2", "full-vm.qcow2"]:
        context.fresh(name)

    def figure(name, of):
        return run.median([of(*result) for result in results[name]])

    def seconds(name):
        return figure(name, lambda usage, _: usage.seconds)

    def stored(name):
        return figure(name, lambda _, size: size / MIB)

    def rss(name):
        return figure(name, lambda usage, _: usage.rss_bytes / MIB)

    def cpu(name):
        return figure(name, lambda usage, _: usage.cpu_seconds)

    return [
        Row("full", "zstd, time", seconds("zstd"), "virtnbdbackup",
            seconds("plain"), "s", 3.0),
        Row("full", "zstd, time", seconds("zstd"), "virtnbdbackup -z",
            seconds("lz4"), "s", 4.5),
        Row("full", "zstd, stored", stored("zstd"), "virtnbdbackup -z",
            stored("lz4"), "MiB", 1.0),
        Row("full", "none, time", seconds("none"), "nbdcopy",
            seconds("nbdcopy"), "s", 1.0),
        Row("full", "none, time", seconds("none"), "nbdcopy --flush",
            seconds("nbdcopy-flush"), "s"),
        limit("full", "zstd, memory", rss("zstd"), "MiB", 128),
        limit("full", "none, memory", rss("none"), "MiB", 128),
        Row("full", "zstd, memory", rss("zstd"), "virtnbdbackup -z",
            rss("lz4"), "MiB"),
        Row("full", "zstd, CPU with helpers", cpu("zstd"),
            "virtnbdbackup -z", cpu("lz4"), "s"),
        Row("full", "none, CPU with helpers", cpu("none"), "nbdcopy",
            cpu("nbdcopy"), "s"),
    ]
