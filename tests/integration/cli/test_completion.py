#!/usr/bin/env python3
"""The completion scripts are sound, and bash's gives the right words."""

import os
import pathlib
import shutil
import subprocess

import support
from support import make_repository, run, run_json, workplace

# Completes LINE as bash would: it has cut the line at blanks and at each @.
DRIVER = r"""
compopt() { :; }
source "$SCRIPT"
COMP_LINE=$LINE COMP_POINT=${#LINE}
_backstitch
printf '%s\n' "${COMPREPLY[@]}"
"""


def complete(script, line, **changes):
    result = subprocess.run(
        ["bash", "-c", DRIVER],
        env=support.environment(SCRIPT=str(script), LINE=line, **changes),
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == "", result.stderr
    return result.stdout.split("\n")[:-1]


def write_script(place, shell):
    path = place / f"script.{shell}"
    path.write_text(run("completion", shell).stdout, encoding="utf-8")
    return path


def test_scripts_parse():
    with workplace() as place:
        for shell in ("bash", "zsh", "fish"):
            script = write_script(place, shell)
            if shutil.which(shell) is None:
                print(f"{shell} is not installed: its script is not checked")
                continue
            subprocess.run([shell, "-n", script], check=True)
        if shutil.which("shellcheck"):
            subprocess.run(["shellcheck", place / "script.bash"], check=True)


def test_json():
    document = run_json("completion", "fish")
    assert document["shell"] == "fish"
    assert document["script"] == run("completion", "fish").stdout


def test_bash_completes_commands_and_options():
    with workplace() as place:
        script = write_script(place, "bash")
        assert complete(script, "backstitch ver") == ["verify"]
        assert complete(script, "backstitch -q --json unm") == ["unmount"]
        assert complete(script, "backstitch file") == ["files"]
        assert complete(script, "backstitch files fi") == ["find", "filesystems"]
        assert "--print0" in complete(script, "backstitch files find --")
        assert "--json" in complete(script, "backstitch --")
        keep = complete(script, "backstitch prune vm1 --keep-")
        assert "--keep-last" in keep and "--json" not in keep, keep
        assert complete(script, "backstitch completion z") == ["zsh"]
        assert complete(script, "backstitch backup --level inc") == ["incremental"]
        assert "list" in complete(script, "backstitch ")


def test_bash_completes_names():
    with workplace() as place:
        script = write_script(place, "bash")
        r = make_repository(place / "r", ["vm1", "vm2", "web server"])
        for prefix, env in (
            (f"backstitch -r {r}", {}),
            (f"backstitch --repository={r}", {}),
            ("backstitch", {"BACKSTITCH_REPOSITORY": str(r)}),
        ):
            assert complete(script, f"{prefix} list v", **env) == ["vm1", "vm2"]
            assert complete(script, f"{prefix} show vm1", **env) == ["vm1"]
            assert complete(script, f"{prefix} list w", **env) == ["web\\ server"]
            # Bash completes what follows the @.
            points = complete(script, f"{prefix} show vm1@", **env)
            assert points == [f"@{n}" for n in range(1, 6)], points
            assert complete(script, f"{prefix} diff vm1@1 vm1@3", **env) == ["@3"]
            assert complete(script, f"{prefix} delete vm1@1 vm1@2 vm2@4", **env) == [
                "@4"
            ]
        # After the last argument there is nothing.
        assert complete(script, f"backstitch -r {r} show vm1 ") == [""]


def test_bash_completes_directories():
    with workplace() as place:
        script = write_script(place, "bash")
        (place / "mountpoint").mkdir()
        (place / "morefile").touch()
        found = complete(script, f"backstitch mount {place}/mo")
        assert found == [f"{place}/mountpoint"], found
        found = complete(script, f"backstitch -r {place}/mo")
        assert found == [f"{place}/mountpoint"], found


def test_fish_completes_names():
    if shutil.which("fish") is None:
        print("fish is not installed: its script is not run")
        return
    with workplace() as place:
        script = write_script(place, "fish")
        r = make_repository(place / "r", ["vm1", "vm2"])

        def fish(line):
            code = f"source {script}; complete -C {line!r}"
            result = subprocess.run(
                ["fish", "--no-config", "-c", code],
                env=support.environment(HOME=str(place)),
                capture_output=True,
                text=True,
                check=True,
            )
            return [row.split("\t")[0] for row in result.stdout.splitlines()]

        assert fish("backstitch ver") == ["verify"]
        assert fish(f"backstitch -r {r} list v") == ["vm1", "vm2"]
        assert fish(f"backstitch -r {r} show vm1@") == [
            f"vm1@{n}" for n in range(1, 6)
        ]
        assert "--keep-last" in fish("backstitch prune vm1 --keep-")


support.main(dict(globals()))
