"""Restoring the last of a full and twenty incrementals to a raw file."""

import ours
import peers
import run
from report import Row

INCREMENTALS = 20
PIECES = 1024


def _chain(context, disk):
    repository = ours.Repository(context.fresh("restore"))
    repository.backup(disk)
    for _ in range(INCREMENTALS):
        peers.scatter(disk, context.work / "live.raw", context.rng, PIECES)
        repository.backup(disk)
    return repository


def _archive(context, disk):
    archive = context.fresh("restore-archive")
    with peers.VirtualMachine(context.work / "lab", disk) as machine:
        machine.backup(archive, "full")
        for seed in range(INCREMENTALS):
            machine.scatter(seed + 100, PIECES)
            machine.backup(archive, "inc")
    return archive


def measure(context):
    disk = context.private_copy(context.disk(), "restore.qcow2")
    theirs = context.private_copy(context.disk(), "restore-vm.qcow2")
    repository = _chain(context, disk)
    archive = _archive(context, theirs)

    def restore():
        return repository.restore(context.fresh("restored")).seconds

    def virtnbdrestore():
        output = context.fresh("restored-peer")
        return peers.virtnbdrestore(archive, output).seconds

    def convert(*options):
        return peers.convert(disk, context.fresh("converted.raw"),
                             *options).seconds

    results = run.interleave({
        "ours": restore,
        "virtnbdrestore": virtnbdrestore,
        "convert": convert,
        "convert-sync": lambda: convert("-t", "writeback"),
    }, context.rounds)
    for name in ["restore.qcow2", "restore-vm.qcow2", "restore",
                 "restore-archive", "restored", "restored-peer",
                 "converted.raw"]:
        context.fresh(name)
    seconds = {name: run.median(values) for name, values in results.items()}
    return [
        Row("restore", "full + 20", seconds["ours"], "virtnbdrestore",
            seconds["virtnbdrestore"], "s", 5.0),
        Row("restore", "full + 20", seconds["ours"], "qemu-img convert",
            seconds["convert"], "s", 1.5, at_most=True),
        Row("restore", "full + 20", seconds["ours"], "the same, synced",
            seconds["convert-sync"], "s"),
    ]
