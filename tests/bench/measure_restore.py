"""Restoring the last of a full and twenty incrementals to a raw file."""

import ours
import peers
import run
from report import Row

INCREMENTALS = 20
PIECES = 256


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
    context.fresh(disk.name)
    return archive


def measure(context):
    disk = context.private_copy(context.disk(), "restore.qcow2")
    theirs = context.private_copy(context.disk(), "restore-vm.qcow2")
    repository = _chain(context, disk)
    archive = _archive(context, theirs)

    def timed(restore, *options):
        output = context.work / "restored"
        try:
            return restore(output, *options).seconds
        finally:
            context.fresh(output.name)

    def convert(output, *options):
        return peers.convert(disk, output, *options)

    results = run.interleave({
        "ours": lambda: timed(repository.restore),
        "virtnbdrestore": lambda: timed(
            lambda output: peers.virtnbdrestore(archive, output)),
        "convert": lambda: timed(convert),
        "convert-sync": lambda: timed(convert, "-t", "writeback"),
    }, context.rounds)
    for name in ["restore.qcow2", "restore", "restore-archive"]:
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
