"""Backups of one running domain, beside virtnbdbackup's of the same."""

import itertools
import os

import ours
import peers
import run
from report import Row, limit

PIECES = 1024
MIB = 1 << 20
GIB = 1 << 30


class _Domain:
    """backstitch's side: a repository with the points of a domain."""

    def __init__(self, context, name, machine):
        self.context = context
        self.name = name
        self.machine = machine

    def full(self):
        repository = ours.Repository(self.context.fresh(self.name))
        usage = repository.backup_domain(self.machine.name, "--level", "full")
        self.machine.forget_checkpoints("backstitch-")
        return usage

    def incrementals(self):
        repository = ours.Repository(self.context.fresh(self.name))
        repository.backup_domain(self.machine.name)
        seeds = itertools.count(1000)

        def once():
            self.machine.scatter(next(seeds), PIECES)
            usage = repository.backup_domain(self.machine.name,
                                             "--level", "incremental")
            (vda,) = repository.manifest(self.machine.name)["disks"]
            if vda["read"] != "bitmap":
                raise RuntimeError(f"read whole: {vda['reason']}")
            return usage
        return once


def _peer_full(context, machine, name, *options):
    return lambda: machine.backup(context.fresh(name), "full", *options)


def _peer_incrementals(context, machine):
    path = context.fresh("domain-peer")
    machine.backup(path, "full")
    seeds = itertools.count(1)

    def once():
        machine.scatter(next(seeds), PIECES)
        return machine.backup(path, "inc")
    return once


def _fragmented(context):
    """800 GiB with 4 KiB of data in every MiB: 1.6 million extents."""
    path = context.fresh("fragmented.raw")
    fd = os.open(path, os.O_CREAT | os.O_RDWR)
    os.ftruncate(fd, 800 * GIB)
    for offset in range(0, 800 * GIB, MIB):
        os.pwrite(fd, b"\1" * 4096, offset)
    os.close(fd)
    return path


def _extents(context):
    path = _fragmented(context)
    program = context.build / "tests" / "bench" / "extents"
    usages = [run.measure(program, path) for _ in range(context.rounds)]
    context.fresh("fragmented.raw")
    seconds = run.median([usage.seconds for usage in usages])
    rss = max(usage.rss_bytes for usage in usages)
    return [limit("extents", "800 GiB, 1.6 million", seconds, "s", 10),
            limit("extents", "800 GiB, memory", rss / MIB, "MiB", 128)]


def measure(context):
    disk = context.private_copy(context.disk(), "domain-vm.qcow2")
    with peers.VirtualMachine(context.work / "lab", disk) as machine:
        domain = _Domain(context, "domain-ours", machine)
        full = run.interleave({
            "zstd": domain.full,
            "plain": _peer_full(context, machine, "domain-plain"),
            "lz4": _peer_full(context, machine, "domain-lz4", "-z"),
        }, context.rounds)
        machine.forget_checkpoints("")
        # One after the other: virtnbdbackup refuses a domain that has
        # checkpoints of others.
        incremental = run.interleave({
            "peer": _peer_incrementals(context, machine),
        }, context.rounds)
        incremental |= run.interleave({"ours": domain.incrementals()},
                                      context.rounds)
    for name in ["domain-ours", "domain-plain", "domain-lz4", "domain-peer",
                 "domain-vm.qcow2"]:
        context.fresh(name)

    def seconds(usages):
        return run.median([usage.seconds for usage in usages])

    rss = max(usage.rss_bytes for usage in full["zstd"] + incremental["ours"])
    return [
        Row("domain", "full, zstd", seconds(full["zstd"]), "virtnbdbackup",
            seconds(full["plain"]), "s", 3.0),
        Row("domain", "full, zstd", seconds(full["zstd"]),
            "virtnbdbackup -z", seconds(full["lz4"]), "s", 4.5),
        Row("domain", "incremental", seconds(incremental["ours"]),
            "virtnbdbackup", seconds(incremental["peer"]), "s", 4.0),
        limit("domain", "memory", rss / MIB, "MiB", 128),
    ] + _extents(context)
