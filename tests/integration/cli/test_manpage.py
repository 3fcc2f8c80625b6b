#!/usr/bin/env python3
"""Every command and option of --help stands in the man page, and back."""

import os
import pathlib
import re
import shutil
import subprocess

import support
from support import run

PAGE = pathlib.Path(os.environ["SOURCE_ROOT"]) / "man" / "backstitch.1.scd"
# One or two words before the arguments.
NAME = re.compile(r"[a-z-]+(?: [a-z-]+)?")
OPTION = re.compile(r"(?<![\w-])(--?[a-z0][a-z0-9-]*)")


def help_commands():
    text = run("--help").stdout
    part = text.split("Commands:\n")[1].split("\n\n")[0]
    # The name ends at the two spaces before the summary.
    return [line.strip().split("  ")[0] for line in part.splitlines()
            if line[2] != " "]


def help_options(*command):
    """Options at the beginning of the lines below "Options"."""
    text = run(*command, "--help").stdout
    found = set()
    for line in re.split(r"\nOptions[^\n]*:\n", text)[1:]:
        for row in line.split("\n\n")[0].splitlines():
            # The names stand before the two spaces that begin the description.
            names = row.strip().split("  ")[0]
            if names.startswith("-"):
                found |= set(OPTION.findall(names))
    return found


def page_sections():
    """Heading to text, for "# X" and "## X ..." alike."""
    sections = {}
    name = None
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            name = line.lstrip("# ")
            sections[name] = []
        elif name:
            sections[name].append(line)
    return sections


def page_options(lines):
    found = set()
    for line in lines:
        if line.startswith("*-"):
            found |= set(OPTION.findall(line.replace("*", " ")))
    return found


def page_commands():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return {NAME.match(line[3:])[0]: line[3:] for line in lines
            if line.startswith("## ")}


def test_commands():
    assert sorted(help_commands()) == sorted(page_commands())


def test_arguments():
    for command, heading in page_commands().items():
        usage = run(*command.split(), "--help").stdout.splitlines()[0]
        usage = usage.replace("\u2026", "...").replace(" [OPTION...]", "")
        assert usage == f"usage: backstitch {heading}", (usage, heading)


def test_global_options():
    assert help_options() == page_options(page_sections()["GLOBAL OPTIONS"])


def test_options_of_commands():
    sections = page_sections()
    for command, heading in page_commands().items():
        expected = help_options(*command.split())
        found = page_options(sections[heading])
        assert expected == found, (command, expected ^ found)


def test_exit_status_is_complete():
    text = "\n".join(page_sections()["EXIT STATUS"])
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 130):
        assert f"*{code}*" in text, code


def test_page_is_well_formed():
    if shutil.which("scdoc") is None:
        print("scdoc is not installed: the page's form is not checked")
        return
    with open(PAGE, "rb") as page:
        subprocess.run(["scdoc"], stdin=page, stdout=subprocess.DEVNULL, check=True)


support.main(dict(globals()))
