"""Starting things and measuring what they take."""

import dataclasses
import mmap
import os
import random
import statistics
import subprocess
import threading
import time

# More than anything measured here puts into the page cache.
WARM_BYTES = 4 << 30


@dataclasses.dataclass
class Usage:
    """What one run of a program took."""
    seconds: float
    cpu_seconds: float   # of the program and the children that it waited for
    rss_bytes: int       # the highest of the program itself


def run(*command, **options):
    """Runs a command that must succeed; gives what it printed."""
    done = subprocess.run([str(word) for word in command], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit status "
                           f"{done.returncode}\n{done.stdout[-2000:]}")
    return done.stdout


def highest_rss(pid):
    """VmHWM of a process, in bytes; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 0


def cpu_seconds(pid):
    """CPU time of all the threads that a process has now."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        path = f"/proc/{pid}/task/{thread}/schedstat"
        with open(path, encoding="ascii") as stat:
            total += int(stat.read().split()[0])
    return total / 1e9


class _RssWatch(threading.Thread):
    """Follows a program's memory, since its rusage is mixed with children's."""

    def __init__(self, pid):
        super().__init__()
        self.pid = pid
        self.highest = 0
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.02):
            self.highest = max(self.highest, highest_rss(self.pid))

    def stop(self):
        self.over.set()
        self.join()
        return self.highest


def settle():
    """Leaves the same to each: nothing that the one before has yet to write,
    and free memory that is really there. A host takes what a virtual machine
    does not use, and to have it back can cost more than all that is measured.
    """
    os.sync()
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    mmap.mmap(-1, min(WARM_BYTES, free // 2), prot=mmap.PROT_READ |
              mmap.PROT_WRITE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS |
              mmap.MAP_POPULATE).close()


def measure(*command, **options):
    """Runs a command that must succeed and gives its Usage."""
    words = [str(word) for word in command]
    settle()
    with subprocess.Popen(words, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options) as child:
        begin = time.monotonic()
        watch = _RssWatch(child.pid)
        watch.start()
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        rss = watch.stop()
    if child.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: exit status "
                           f"{child.returncode}\n"
                           f"{output.decode(errors='replace')[-2000:]}")
    return Usage(seconds, usage.ru_utime + usage.ru_stime, rss)


def interleave(subjects, rounds):
    """Runs each of {name: function} once a round, in an order of the round's
    own, after one round to warm up. Gives {name: [result of each round]}."""
    results = {name: [] for name in subjects}
    order = random.Random(2026)
    for number in range(rounds + 1):
        for name, function in order.sample(list(subjects.items()),
                                           len(subjects)):
            result = function()
            if number > 0:
                results[name].append(result)
    return results


def median(values):
    return statistics.median(values)


def wait_for(condition, seconds, what):
    """Waits until condition() is true; raises after some seconds."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.01)
