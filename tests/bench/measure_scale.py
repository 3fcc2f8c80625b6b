"""A disk of 16 TiB with a thousand points beside one with a single point."""

import ours
import run
from report import Row, limit

SIZE = "16T"
POINTS = 1000
CHUNKS = 16
DOMAIN = "big"
MIB = 1 << 20


def make(context, points):
    path = context.fresh(f"scale-{points}")
    run.run(context.build / "tests" / "scale" / "scale_repository", path,
            DOMAIN, SIZE, points, CHUNKS)
    return path


def first_byte(repository, mountpoint):
    """The driver's CPU milliseconds and memory once a byte was read."""
    with ours.Driver(repository, mountpoint) as driver:
        disk = driver.mountpoint / DOMAIN / "latest" / "vda.raw"
        with open(disk, "rb", buffering=0) as file:
            file.read(1)
        return (run.cpu_seconds(driver.pid) * 1000,
                run.highest_rss(driver.pid) / MIB)


def measure(context):
    many, one = make(context, POINTS), make(context, 1)
    mountpoint = context.work / "mnt"
    results = run.interleave({
        "many": lambda: first_byte(many, mountpoint),
        "one": lambda: first_byte(one, mountpoint),
    }, max(context.rounds, 5))
    for path in [many, one]:
        context.fresh(path.name)

    def figure(name, of):
        return run.median([result[of] for result in results[name]])

    what = f"{POINTS} points of {SIZE}iB"
    return [
        limit("scale", f"{what}, driver's work", figure("many", 0), "ms", 10),
        Row("scale", f"{what}, driver's work", figure("many", 0), "one point",
            figure("one", 0), "ms", 1.2, at_most=True),
        limit("scale", f"{what}, memory", figure("many", 1), "MiB", 64),
    ]
