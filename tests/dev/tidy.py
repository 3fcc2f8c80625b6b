#!/usr/bin/python3
"""clang-tidy over what a build directory compiles, in groups.

    tidy.py BUILD [--checks=CHECKS] [SOURCE...]

Most of clang-tidy's time goes into headers: sources are laid end to end, to
share them. A group with a finding is looked at file by file, for the finding's
true place, and because the sources may just not go together: only what a file
has by itself counts. CHECKS are added to those of .clang-tidy.
Exit status: 0, 1 (findings).
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

# A group costs hardly more than one of its sources.
GROUP_LINES = 2500

# What belongs to one object, and not to how it is compiled.
WITH_VALUE = {"-MQ", "-MF", "-o", "-c"}
ALONE = {"-MD", "-fdiagnostics-color=always"}

INCLUDE = re.compile(r"^#include .*$", re.MULTILINE)
# Functions, variables and types that begin a line.
DEFINED = (r"^(?:(?:class|struct|enum class) (\w+)|"
           r"(?!class|struct|enum|using|namespace)"
           r"(?:\[\[\w+\]\] )?[a-zA-Z][\w:<>,*& ]*[ *&](\w+)(?:[([{;]| =))")

Source = collections.namedtuple("Source", "path command")


def flags(entry):
    words = iter(shlex.split(entry["command"]))
    kept = []
    for word in words:
        if word in WITH_VALUE:
            next(words)
        elif word not in ALONE and not re.fullmatch(r"-I.*\.p", word):
            kept.append(word)
    return tuple(kept[1:] if kept[0].endswith("ccache") else kept)


def sources(build, only):
    """{path: Source}, of each file once, in its first configuration."""
    found = {}
    with open(build / "compile_commands.json", encoding="utf-8") as file:
        for entry in json.load(file):
            path = pathlib.Path(entry["directory"], entry["file"]).resolve()
            if not only or path in only:
                found.setdefault(path, Source(path, flags(entry)))
    return found.values()


def split(members):
    """Runs of at most GROUP_LINES, about even."""
    lines = [len(m.path.read_bytes().splitlines()) for m in members]
    parts = -(-sum(lines) // GROUP_LINES)
    groups = [[] for _ in range(parts)]
    before = 0
    for member, length in zip(members, lines):
        middle = before + length / 2
        groups[int(middle * parts / sum(lines))].append(member)
        before += length
    return [group for group in groups if group]


def grouped(found):
    """Groups within a folder of the project's root; what one source is
    compiled with does the others no harm."""
    by_folder = collections.defaultdict(list)
    for source in sorted(found):
        folder = source.path.relative_to(pathlib.Path.cwd()).parts[0]
        by_folder[folder].append(source)
    return [group for members in by_folder.values() for group in split(members)]


def own_names(text):
    """What a source keeps to itself, or cannot share with another."""
    names = set(re.findall(r"^(?:extern \"C\" )?int (main|LLVM\w+)\(", text,
                           re.MULTILINE))
    for part in re.findall(r"^namespace {$(.*?)^}  // namespace$", text,
                           re.MULTILINE | re.DOTALL):
        names.update(a or b for a, b in re.findall(DEFINED, part, re.MULTILINE))
    return names


def joined(group, name):
    """One source of several: each include once, where it is first, and names
    that several of them define for themselves made different."""
    texts = [source.path.read_text(encoding="utf-8") for source in group]
    owners = collections.Counter(n for text in texts for n in own_names(text))
    seen = set()
    out = []
    for number, text in enumerate(texts):
        begin = [match.end() for match in INCLUDE.finditer(text)][-1]
        for line in text[:begin].splitlines():
            if not (line in seen and line.startswith("#include")):
                out.append(line)
            seen.add(line)
        text = text[begin:]
        for clash in (n for n in own_names(text) if owners[n] > 1):
            text = re.sub(rf"(?<![\w.>:]){clash}\b", f"{clash}{number}", text)
        out.append(text)
    name.write_text("\n".join(out), encoding="utf-8")
    command = dict.fromkeys(word for source in group for word in source.command)
    # One source's own names hide another's; the compiler sees each alone.
    return Source(name, (*command, "-Wno-shadow"))


def tidy(source, build, checks):
    """Whether it is clean, and what was said."""
    result = subprocess.run(
        ["clang-tidy", "--quiet", f"--checks={checks}", str(source.path),
         "--", *source.command[1:]],
        cwd=build, capture_output=True, text=True, check=False)
    return result.returncode == 0, result.stdout or result.stderr


def tidy_group(group, build, name, checks):
    """The findings in a group of sources."""
    begun = time.monotonic()
    clean = False
    if len(group) > 1:
        clean, together = tidy(joined(group, build / name), build, checks)
    findings = []
    if not clean:
        alone = [tidy(source, build, checks) for source in group]
        findings = [said for clean, said in alone if not clean]
        if len(group) > 1 and not findings:
            print(f"{name}: these files go together with findings that none "
                  f"has by itself, which takes time:\n{together}", flush=True)
    print(f"{name}: {len(group)} files, {len(findings)} with findings,"
          f" {time.monotonic() - begun:.0f} s", flush=True)
    return findings


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--checks", default="")
    parser.add_argument("source", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    folder = build / "tidy"
    folder.mkdir(exist_ok=True)
    groups = grouped(
        sources(build, {path.resolve() for path in arguments.source}))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        findings = [finding for some in pool.map(
            lambda numbered: tidy_group(
                numbered[1], build, f"tidy/group-{numbered[0]}.cc",
                arguments.checks),
            enumerate(groups)) for finding in some]
    print("".join(findings), end="")
    sys.exit(1 if findings else 0)


main()
