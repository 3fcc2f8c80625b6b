#include "src/nbd/copy_pipeline.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "src/base/failure.h"
#include "src/base/stop.h"
#include "src/nbd/flow.h"
#include "src/nbd/throttle.h"

namespace backstitch::engine {
namespace {

using format::ChunkSifter;
using format::kChunkBytes;
using format::SiftedChunk;

// Pieces in order, most of them without a buffer: some 2 KB each.
constexpr size_t kMostPieces = 1024;

// One for each that is being sifted, and some that are read or wait for their
// turn to be written; no more than some 64 MiB.
unsigned buffers_for(unsigned sifters) { return 12 + std::min(sifters, 20U); }

// Cuts the source's runs into pieces.
void feed(BlockSource& source, Flow& flow, const std::stop_token& stop) {
  const uint64_t size = source.size_bytes();
  while (!stop.stop_requested()) {
    const auto run = source.next_run(stop);
    if (!run) break;
    const bool data = run->state == ChunkState::kData;
    uint64_t first = run->first;
    for (uint64_t left = run->count; left > 0;) {
      const uint64_t count = data ? std::min(left, kPieceChunks) : left;
      const uint64_t begin = first * kChunkBytes;
      flow.feed({first, count, run->state},
                std::min(size - begin, count * kChunkBytes));
      first += count;
      left -= count;
    }
  }
  flow.end_feed();
}

// The padding of the disk's last chunk is zero, always.
void start(BlockReader& reader, Piece& piece) {
  const uint64_t whole = piece.run.count * kChunkBytes;
  std::memset(piece.buffer.get() + piece.bytes, 0, whole - piece.bytes);
  reader.start(piece.run.first * kChunkBytes, {piece.buffer.get(), piece.bytes},
               &piece);
}

void read(BlockSource& source, Flow& flow, unsigned depth,
          const std::stop_token& stop) {
  const auto reader = source.open_reader();
  std::vector<void*> done;
  for (unsigned under_way = 0; !stop.stop_requested();) {
    while (under_way < depth) {
      Piece* const piece = flow.next_to_read(under_way == 0);
      if (piece == nullptr) break;
      start(*reader, *piece);
      ++under_way;
    }
    if (under_way == 0) return;
    reader->wait(done);
    for (void* tag : done) flow.was_read(static_cast<Piece*>(tag));
    under_way -= static_cast<unsigned>(done.size());
    done.clear();
  }
}

// A sifter's result lies in the sifter until its next call: it takes the place
// of the content, which nobody needs any more.
void sift(ChunkSifter& sifter, Piece& piece) {
  for (uint64_t i = 0; i < piece.run.count; ++i) {
    const std::span<std::byte> content = piece.chunk(i);
    SiftedChunk sifted = sifter.sift(piece.run.first + i, content);
    if (sifted.kind == SiftedChunk::Kind::kNew &&
        sifted.bytes.data() != content.data()) {
      std::memcpy(content.data(), sifted.bytes.data(), sifted.bytes.size());
      sifted.bytes = content.first(sifted.bytes.size());
    }
    piece.sifted[i] = sifted;
  }
}

void sift_all(Flow& flow, const format::DiskWriter& disk) {
  ChunkSifter sifter(disk);
  while (Piece* const piece = flow.next_to_sift()) {
    sift(sifter, *piece);
    flow.was_sifted(piece);
  }
}

void write(format::DiskWriter& disk, const Piece& piece) {
  if (piece.run.state == ChunkState::kClean) return;
  if (piece.run.state == ChunkState::kZero) {
    disk.put_zeroes(piece.run.first, piece.run.count);
    return;
  }
  for (uint64_t i = 0; i < piece.run.count; ++i)
    disk.put(piece.run.first + i, piece.sifted[i]);
}

// The caller's thread: the one writer, and the one that looks for a stop.
CopyResult write_all(Flow& flow, format::DiskWriter& disk, Progress& progress) {
  CopyResult result;
  while (!flow.ended()) {
    check_stop();
    Piece* const piece = flow.next_to_write();
    if (piece == nullptr) continue;
    write(disk, *piece);
    if (piece->run.state == ChunkState::kData)
      result.read_bytes += piece->bytes;
    progress.advance(piece->bytes);
    flow.was_written(piece);
  }
  return result;
}

}  // namespace

CopyResult copy_disk(BlockSource& source, format::DiskWriter& disk,
                     Progress& progress, const CopyOptions& options) {
  if (options.bytes_per_second != 0) {
    ThrottledSource slow(source, options.bytes_per_second);
    CopyOptions others = options;
    others.bytes_per_second = 0;
    return copy_disk(slow, disk, progress, others);
  }
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned sifters = options.sifters != 0 ? options.sifters : cores;
  FirstFailure failure;
  const std::stop_token stop = failure.token();
  const unsigned buffers =
      options.buffers != 0 ? options.buffers : buffers_for(sifters);
  Flow flow(buffers, kMostPieces, stop);
  CopyResult result;
  {
    std::vector<std::jthread> threads;
    const auto launch = [&](auto body) {
      threads.emplace_back([&failure, body] { failure.guard(body); });
    };
    failure.guard([&] {
      launch([&] { feed(source, flow, stop); });
      for (unsigned i = 0; i < source.max_readers(); ++i)
        launch([&] { read(source, flow, options.depth, stop); });
      for (unsigned i = 0; i < sifters; ++i)
        launch([&] { sift_all(flow, disk); });
      result = write_all(flow, disk, progress);
    });
  }
  failure.rethrow();
  return result;
}

}  // namespace backstitch::engine
