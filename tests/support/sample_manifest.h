// A manifest with every field set, for tests of reading and writing it.
#pragma once

#include "format/repository/manifest.h"

namespace backstitch::test {

inline format::DiskManifest sample_disk() {
  format::DiskManifest disk;
  disk.name = "vda";
  disk.size_bytes = 1000000;
  disk.root = {format::RefKind::kPage,
               format::Codec::kStored,
               format::kPageBytes,
               7,
               4096,
               {0x1111, 0x2222}};
  disk.data_chunks = 3;
  disk.map_length = 8192;
  disk.data_length = 150000;
  disk.read = "whole";
  disk.reason = "the bitmap \"x\" is inconsistent";
  disk.read_bytes = 1000000;
  disk.changed_chunks = 2;
  disk.zeroed_chunks = 1;
  disk.source = {{"format", "qcow2"}, {"path", "/images/vda.qcow2"}};
  return disk;
}

inline format::Manifest sample_manifest() {
  format::Manifest manifest;
  manifest.repository = "000102030405060708090a0b0c0d0e0f";
  manifest.domain = "vm1 \u00e4\u00f6";
  manifest.point = 7;
  manifest.id[3] = std::byte{0xAB};
  manifest.level = format::Level::kIncremental;
  manifest.parent = 6;
  manifest.chain = 5;
  manifest.time = format::parse_time("2026-11-23T01:02:03.456Z");
  manifest.duration_ms = 1234;
  manifest.consistency = "crash";
  manifest.checkpoint = "backstitch-00010203-7";
  manifest.checkpoint_xml = "<domaincheckpoint>\n  <a b=\"c\"/>\n</>";
  manifest.compression = "zstd:1";
  manifest.tools = {{"backstitch", "0.1.0"}, {"qemu", "7.2"}};
  manifest.disks = {sample_disk()};
  manifest.files = {{"domain.xml", 812, {3, 4}}};
  return manifest;
}

}  // namespace backstitch::test
