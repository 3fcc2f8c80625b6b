"""Compares repositories file by file."""

import os


def files_of(folder):
    """{path below: bytes} of every file."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


def leftovers(repository):
    """Names of what a run that ended well does not leave."""
    return [os.path.join(where, name)
            for where, folders, names in os.walk(repository)
            for name in folders + names
            if name.startswith(".") or name == "deleted.json"]


def differences(source, target, points):
    """Files of the source's directories that the target has not, or not with
    these bytes. `points`: lines that begin with the numbers that both have."""
    numbers = {int(line.split()[0]) for line in points}
    theirs = files_of(os.path.join(target, "vm"))
    found = []
    for name, content in files_of(os.path.join(source, "vm")).items():
        if name == "lock":
            continue
        folder = name.split("/")[0]
        if int(folder) not in numbers:
            if f"{folder}/point.json" in theirs:
                continue  # deleted in the source only
            if f"{folder}/remains.json" not in theirs and is_empty(
                source, folder
            ):
                continue  # kept for its number, nobody needs it
        if theirs.get(name) != content:
            found.append(name)
    return found


def is_empty(repository, folder):
    """Whether remains have nothing but headers."""
    files = files_of(os.path.join(repository, "vm", folder))
    return not any(
        any(content[4096:])
        for name, content in files.items()
        if name.endswith((".map", ".data"))
    )
