#!/usr/bin/python3
"""What a machine has beside its disks goes into its points and comes back:
UEFI variables, firmware, TPM, the medium of a cdrom."""

import os
import pathlib
import uuid

from domainlab import MIB, check, check_equal, say
from own_host import run_on_own_host
from recovered import Recovered

FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
TPM = pathlib.Path("/var/lib/libvirt/swtpm")
MAC = "52:54:00:11:22:33"

MACHINE = """\
<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid>
  <memory unit='MiB'>256</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <loader readonly='yes' type='pflash'>{firmware}</loader>
    <nvram template='{variables}'>{nvram}</nvram></os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact'><model fallback='forbid'>qemu64</model></cpu>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
      <source file='{disk}'/><target dev='sda' bus='sata'/></disk>
    <disk type='file' device='cdrom'><source file='{medium}'/>
      <target dev='sdb' bus='sata'/><readonly/></disk>
    <interface type='user'><mac address='{mac}'/><model type='virtio'/>
    </interface>
    <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
    <serial type='pty'/>
  </devices></domain>
"""


def make_machine(lab):
    """Defined and running; its name and its files."""
    name = f"backstitch-test-{lab.session.name}-uefi"
    known = str(uuid.uuid4())
    files = {"disk": lab.image("sda.qcow2", 64 * MIB),
             "medium": lab.path / "seed.iso", "nvram": lab.path / "vars.fd"}
    files["medium"].write_bytes(lab.random.randbytes(300 * 1024))
    # A variable store that is not the template's: as a guest has left it.
    content = bytearray(pathlib.Path(VARIABLES).read_bytes())
    content[-16:] = b"left by the test"
    files["nvram"].write_bytes(content)
    xml = lab.path / "uefi.xml"
    xml.write_text(MACHINE.format(name=name, uuid=known, firmware=FIRMWARE,
                                  variables=VARIABLES, mac=MAC, **files),
                   encoding="utf-8")
    lab.virsh("define", xml)

    def remove():
        lab.virsh("destroy", known, ok=False)
        lab.virsh("undefine", known, "--nvram", "--checkpoints-metadata",
                  ok=False)
    lab.undo(remove)
    # Firmware that runs would change the TPM's state while it is compared.
    lab.virsh("start", known, "--paused")
    return name, known, files


def check_point(lab, name, known, files):
    point = lab.repository / name / "000001"
    check_equal((point / "sdb.iso").read_bytes(), files["medium"].read_bytes(),
                "the medium")
    check_equal((point / "loader.fd").read_bytes(),
                pathlib.Path(FIRMWARE).read_bytes(), "the firmware")
    check((point / "nvram.fd").read_bytes().endswith(b"left by the test"),
          "the variables are not the machine's")
    state, = (TPM / known / "tpm2").glob("*.permall")
    check_equal((point / f"tpm.{state.name}").read_bytes(), state.read_bytes(),
                "the TPM's state")
    lab.backstitch("backup", name)
    check_equal((lab.repository / name / "000002" / "loader.fd").stat().st_ino,
                (point / "loader.fd").stat().st_ino,
                "the inode of a file that did not change")
    lab.backstitch("delete", f"{name}@1")
    lab.backstitch("verify", name)


def test_it_comes_back_with_all_it_had(lab):
    name, known, files = make_machine(lab)
    lab.backstitch("backup", name)
    check_point(lab, name, known, files)
    lab.virsh("destroy", known)
    os.environ["BACKSTITCH_STATE"] = str(lab.directory("state"))
    storage = lab.directory("storage")
    recovered = Recovered(lab, f"{name}-recovered")
    done = lab.backstitch("boot", name, "--storage", storage)
    say(done.stdout.splitlines()[0])
    check("sdb: the cdrom is empty now" in done.stdout, done.stdout)
    xml = recovered.xml()
    check_equal(xml.findtext("os/nvram"),
                str(storage / f"{recovered.name}_VARS.fd"), "its own variables")
    check((storage / f"{recovered.name}_VARS.fd").read_bytes().endswith(
        b"left by the test"), "the variables did not come back")
    card = xml.find("devices/interface")
    check(card.find("mac").get("address") != MAC, "it has the old MAC address")
    check_equal(card.find("link").get("state"), "down", "the cable")
    tpm, = (TPM / xml.findtext("uuid") / "tpm2").glob("*.permall")
    check(tpm.stat().st_size > 0, "the TPM has no state")
    lab.backstitch("discard", recovered.name)
    check_equal(list(storage.iterdir()), [], "files in the storage")
    check(not (TPM / xml.findtext("uuid")).exists(), "a TPM's state is left")


if __name__ == "__main__":
    run_on_own_host(globals())
