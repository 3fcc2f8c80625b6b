// Partition tables: the input is the beginning of a disk, and, for the backup
// table of a GPT, its end.

#include <algorithm>
#include <cstring>

#include "fuse/partitions/partition.h"
#include "tests/fuzz/input.h"

using namespace backstitch;         // NOLINT(google-build-using-namespace)
using namespace backstitch::mount;  // NOLINT(google-build-using-namespace)

namespace {

// A disk that is the input and counts what is read of it.
class InputDisk : public format::DiskImage {
 public:
  explicit InputDisk(ByteView bytes) : bytes_(bytes) {}

  uint64_t size() const override { return bytes_.size(); }
  void read_at(uint64_t offset, std::span<std::byte> out) const override {
    fuzz::require(offset <= size() && out.size() <= size() - offset);
    if (!out.empty()) std::memcpy(out.data(), &bytes_[offset], out.size());
    ++reads_;
  }
  uint64_t next_data(uint64_t offset) const override { return offset; }
  uint64_t next_hole(uint64_t) const override { return size(); }
  uint64_t data_bytes() const override { return size(); }
  uint64_t reads() const { return reads_; }

 private:
  const ByteView bytes_;
  mutable uint64_t reads_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const InputDisk disk(fuzz::bytes_of(data, size));
  const auto partitions = parse_partitions(disk);
  fuzz::require(partitions.size() <= kMaxPartitions && disk.reads() < 5000);
  for (const Partition& partition : partitions) {
    fuzz::require(partition.number > 0 && partition.length > 0);
    fuzz::require(partition.offset < size &&
                  partition.length <= size - partition.offset);
  }
  fuzz::require(std::ranges::is_sorted(partitions, {}, &Partition::number));
  return 0;
}
