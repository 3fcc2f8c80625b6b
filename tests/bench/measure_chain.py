"""What the length of a chain costs its readers."""

import time

import measure_reading
import ours
import peers
import run
from report import Row, limit

POINTS = 50
PIECES = 256


def _ready(context, repository):
    """Milliseconds from the command to a byte of the last point's disk."""
    def once():
        mountpoint = context.work / "mnt"
        mountpoint.mkdir(exist_ok=True)
        begin = time.monotonic()
        run.run("backstitch", "-q", "-r", repository.path, "mount",
                mountpoint)
        with open(mountpoint / ours.NAME / "latest" / "vda.raw", "rb") as disk:
            disk.read(1)
        elapsed = time.monotonic() - begin
        run.run("backstitch", "-q", "unmount", mountpoint)
        return elapsed * 1000
    return once


def _make(context):
    """The chain, and one point with what its last one holds."""
    disk = context.private_copy(context.dense_disk(), "chain.qcow2")
    chain = ours.Repository(context.fresh("chain"))
    chain.backup(disk)
    for _ in range(POINTS - 1):
        peers.scatter(disk, context.work / "live.raw", context.rng, PIECES)
        chain.backup(disk)
    single = ours.Repository(context.fresh("single"))
    single.backup(disk, "--level", "copy")
    return chain, single


def measure(context):
    chain, single = _make(context)
    results = measure_reading.medians(run.interleave({
        name: lambda of=of: measure_reading.read_through(
            measure_reading.backstitch(context, of))
        for name, of in [("chain", chain), ("single", single)]
    }, context.rounds))
    ready = {name: run.median(values) for name, values in run.interleave({
        "chain": _ready(context, chain),
        "single": _ready(context, single),
    }, context.rounds).items()}
    for path in [chain.path, single.path]:
        context.fresh(path.name)
    context.fresh("chain.qcow2")

    rows = []
    for figure in measure_reading.FIGURES:
        row = measure_reading.row(results, "chain", "single", figure, 0.95,
                                  peer_name="one point")
        row.measure, row.what = "chain", f"of {POINTS}, " + row.what[7:]
        rows.append(row)
    rows.append(limit("chain", f"of {POINTS}, ready", ready["chain"], "ms",
                      50))
    rows.append(Row("chain", f"of {POINTS}, ready", ready["chain"],
                    "one point", ready["single"], "ms"))
    return rows
