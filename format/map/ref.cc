#include "format/map/ref.h"

#include <algorithm>
#include <string>

#include "format/base/error.h"

namespace backstitch::format {
namespace {

// Bits 0-3 kind, 4-7 codec, 8-31 stored length.
constexpr int kCodecShift = 4;
constexpr int kLengthShift = 8;

Error bad_ref(const std::string& why) {
  return Error(ErrorKind::kDamaged, "bad ref: " + why);
}

}  // namespace

RefBytes encode(const Ref& ref) {
  RefBytes bytes{};
  if (ref.is_zero()) return bytes;
  store_le<uint32_t>(&bytes[0], static_cast<uint32_t>(ref.kind) |
                                    static_cast<uint32_t>(ref.codec)
                                        << kCodecShift |
                                    ref.length << kLengthShift);
  store_le(&bytes[4], ref.point);
  store_le(&bytes[8], ref.offset);
  store_le(&bytes[16], ref.hash.low);
  store_le(&bytes[24], ref.hash.high);
  return bytes;
}

Ref decode_ref(std::span<const std::byte, kRefBytes> bytes) {
  const auto head = load_le<uint32_t>(&bytes[0]);
  Ref ref;
  if ((head & 15) > 2) throw bad_ref("unknown kind");
  if ((head >> kCodecShift & 15) > 1) throw bad_ref("unknown codec");
  ref.kind = static_cast<RefKind>(head & 15);
  ref.codec = static_cast<Codec>(head >> kCodecShift & 15);
  ref.length = head >> kLengthShift;
  ref.point = load_le<uint32_t>(&bytes[4]);
  ref.offset = load_le<uint64_t>(&bytes[8]);
  ref.hash = {load_le<uint64_t>(&bytes[16]), load_le<uint64_t>(&bytes[24])};
  if (ref.is_zero()) {
    if (!all_zero(bytes)) throw bad_ref("a zero ref is not empty");
    return ref;
  }
  if (ref.point == 0) throw bad_ref("no point");
  if (ref.offset < kHeaderBytes || ref.offset >= uint64_t{1} << 62)
    throw bad_ref("offset out of range");
  const bool stored = ref.codec == Codec::kStored;
  const uint64_t whole = ref.kind == RefKind::kPage ? kPageBytes : kChunkBytes;
  if (ref.kind == RefKind::kPage && !stored) throw bad_ref("a coded page");
  if (stored ? ref.length != whole : ref.length == 0 || ref.length >= whole)
    throw bad_ref("length out of range");
  if (stored && ref.offset % kPageBytes != 0) throw bad_ref("not aligned");
  return ref;
}

std::array<std::byte, kPageBytes> encode(const Page& page) {
  std::array<std::byte, kPageBytes> bytes;
  for (size_t i = 0; i < kPageRefs; ++i)
    std::ranges::copy(encode(page[i]), bytes.begin() + i * kRefBytes);
  return bytes;
}

void check_ref(const Ref& ref, int level, uint32_t point) {
  if (ref.is_zero()) return;
  const auto wanted = level == 0 ? RefKind::kChunk : RefKind::kPage;
  if (ref.kind != wanted) throw bad_ref("wrong kind for its level");
  if (ref.point > point) throw bad_ref("refers to a later point");
}

Page decode_page(std::span<const std::byte, kPageBytes> bytes, int level,
                 uint32_t point) {
  Page page;
  for (size_t i = 0; i < kPageRefs; ++i) {
    page[i] = decode_ref(std::span<const std::byte, kRefBytes>(
        &bytes[i * kRefBytes], kRefBytes));
    check_ref(page[i], level - 1, point);
  }
  return page;
}

}  // namespace backstitch::format
