"""Random work on a disk without any guest, and what a backup says of it."""

from checks import check, check_equal


def scribble(machine, target, size, count=8):
    """Writes, writes of zeroes and discards at random places; at least one
    write of data that no other call makes."""
    random = machine.lab.random
    commands = []
    for number in range(count):
        length = random.choice([512, 4096, 65536, 200 << 10, 1 << 20])
        offset = random.randrange(0, size - length + 1, 512)
        kind = random.choice(["data", "zero", "discard"]) if number else "data"
        commands.append({
            "data": f"write -P {random.randrange(1, 256)} {offset} {length}",
            "zero": f"write -z -u {offset} {length}",
            "discard": f"discard {offset} {length}",
        }[kind])
    # Last, so that nothing covers it; a byte alone may have been there before.
    place = random.randrange(0, size - 1024, 512)
    commands += [f"write -P {byte} {place + index * 512} 512"
                 for index, byte in enumerate(random.sample(range(1, 256), 2))]
    machine.io(target, *commands)


def expect(result, level=None, consistency=None, **disks):
    """`disks`: how each was read, "bitmap" or "whole", or "whole: WORD" for a
    word in the reason."""
    where = f"@{result['point']}"
    if level:
        check_equal(result["level"], level, f"{where}: level")
    if consistency:
        check_equal(result["consistency"], consistency, f"{where}: consistency")
    check_equal({one["name"] for one in result["disks"]}, set(disks),
                f"{where}: disks")
    for one in result["disks"]:
        wanted, _, word = disks[one["name"]].partition(": ")
        check_equal(one["read"], wanted, f"{where}: how {one['name']} was read"
                    f" ({one.get('reason')})")
        check(word in one.get("reason", ""),
              f"{where}: {one['name']}: no {word!r} in {one.get('reason')!r}")
        if wanted == "bitmap":
            check(one["read_bytes"] < one["size_bytes"],
                  f"{where}: all of {one['name']} was read")
