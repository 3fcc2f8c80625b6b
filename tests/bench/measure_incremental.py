"""Incremental backup of scattered changes, on a small and on a huge disk."""

import itertools

import ours
import peers
import run
from report import Row, limit

PIECES = 1024
MIB = 1 << 20


def _backstitch(context, disk, name):
    repository = ours.Repository(context.fresh(name))
    repository.backup(disk)

    def once():
        peers.scatter(disk, context.work / "live.raw", context.rng, PIECES)
        usage = repository.backup(disk, "--level", "incremental")
        (vda,) = repository.manifest()["disks"]
        if vda["read"] != "bitmap":
            raise RuntimeError("the whole disk was read: "
                               f"{vda.get('reason', '')}")
        return usage
    return once


def _virtnbdbackup(context, machine):
    path = context.fresh("incremental-peer")
    machine.backup(path, "full")
    seeds = itertools.count(1)

    def once():
        machine.scatter(next(seeds), PIECES)
        return machine.backup(path, "inc")
    return once


def measure(context):
    small = context.private_copy(context.disk(), "small.qcow2")
    huge = context.private_copy(context.disk(), "huge.qcow2")
    run.run("qemu-img", "resize", "-q", "-f", "qcow2", huge, "1T")
    theirs = context.private_copy(context.disk(), "incremental-vm.qcow2")
    with peers.VirtualMachine(context.work / "lab", theirs) as machine:
        results = run.interleave({
            "small": _backstitch(context, small, "incremental-small"),
            "huge": _backstitch(context, huge, "incremental-huge"),
            "peer": _virtnbdbackup(context, machine),
        }, context.rounds)
    for name in ["small.qcow2", "huge.qcow2", "incremental-vm.qcow2",
                 "incremental-small", "incremental-huge", "incremental-peer"]:
        context.fresh(name)
    seconds = {name: run.median([usage.seconds for usage in usages])
               for name, usages in results.items()}
    rss = max(usage.rss_bytes for usage in results["huge"])
    return [
        Row("incremental", "8 GiB, time", seconds["small"], "virtnbdbackup",
            seconds["peer"], "s", 4.0),
        Row("incremental", "1 TiB, time", seconds["huge"], "its 8 GiB",
            seconds["small"], "s", 1.3, at_most=True),
        limit("incremental", "1 TiB, memory", rss / MIB, "MiB", 128),
    ]
