// Is an archive what was written? As far as its format lets anybody know: the
// order of the frames, LZ4's checksums, and the Adler-32 of whole files.
#include <zlib.h>

#include <algorithm>
#include <set>

#include "format/repository/names.h"
#include "format/repository/verify.h"
#include "format/sparsestream/archive.h"

namespace backstitch::format {
namespace {

constexpr uint64_t kPieceBytes = 1 << 20;

class Verifier {
 public:
  Verifier(const ArchiveState& state, const VerifyOptions& options)
      : state_(state), options_(options) {}

  void check(const DataFilePointer& file) {
    if (!seen_.insert(file.get()).second) return;
    if (file->error) {
      report(*file, *file->error);
      return;
    }
    try {
      const StoredFile stored(file->place);
      if (!file->is_raw) {
        StreamIndex index = scan_stream(stored);
        result_.pages += index.pieces.size();
        // An index that was kept is for what reads, not for what checks.
        save_pieces(file->place, index.pieces);
      }
      if (options_.quick) return;
      check_content(*file);
      check_sum(*file, stored);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInterrupted) throw;
      report(*file, error);
    }
  }

  void report(const ArchivePoint& point, const Error& error) {
    report(*point.files.front(), error);
  }

  VerifyResult result_;

 private:
  void report(const DataFile& file, const Error& error) {
    Finding finding;
    finding.file = file.place.name;
    finding.what = error.what();
    finding.disk = file.disk;
    finding.points = points_with(file);
    add(std::move(finding));
  }

  // One that several points suffer from is told once.
  void add(Finding finding) {
    const auto same = [&](const Finding& other) {
      return other.what == finding.what;
    };
    if (std::ranges::none_of(result_.findings, same))
      result_.findings.push_back(std::move(finding));
  }

  std::vector<uint32_t> points_with(const DataFile& file) const {
    std::vector<uint32_t> numbers;
    for (const ArchivePointPointer& point : state_.points) {
      for (ArchivePointPointer at = point; at; at = at->base) {
        if (at->file(file.disk) != &file) continue;
        numbers.push_back(point->number);
        break;
      }
    }
    return numbers;
  }

  void check_content(const DataFile& file) {
    const Stream stream(file.place, file.is_raw, nullptr);
    stream.check(
        [&](uint64_t bytes) {
          result_.chunks += 1;
          advance(file.meta.compressed ? bytes : 0);
        },
        [&](const StreamPiece& piece, const Error& error) {
          Finding finding;
          finding.file = file.place.name;
          finding.offset = piece.stored_at;
          finding.what = error.what();
          finding.disk = file.disk;
          finding.begin = piece.begin;
          finding.end = piece.begin + piece.length;
          finding.points = points_with(file);
          add(std::move(finding));
        });
  }

  void check_sum(const DataFile& file, const StoredFile& stored) {
    const auto text = state_.files.text(file.place.name + ".chksum");
    if (!text) return;
    uLong sum = ::adler32(0, nullptr, 0);
    Bytes piece(kPieceBytes);
    for (uint64_t at = 0; at < stored.size(); at += piece.size()) {
      piece.resize(std::min(kPieceBytes, stored.size() - at));
      stored.read_at(at, piece);
      sum = ::adler32(sum, reinterpret_cast<const Bytef*>(piece.data()),
                      static_cast<uInt>(piece.size()));
      if (!file.meta.compressed) advance(piece.size());
    }
    if (std::to_string(sum) ==
        text->substr(0, text->find_last_not_of(" \r\n") + 1))
      return;
    throw Error(ErrorKind::kDamaged, file.place.name + ": its Adler-32 is " +
                                         std::to_string(sum) + ", and " +
                                         file.place.name + ".chksum says " +
                                         printable(text->substr(0, 20)));
  }

  void advance(uint64_t bytes) {
    result_.bytes += bytes;
    if (options_.progress) options_.progress(result_.bytes);
  }

  const ArchiveState& state_;
  const VerifyOptions& options_;
  std::set<const DataFile*> seen_;
};

}  // namespace

VerifyResult verify_archive(const ArchiveState& state,
                            const std::vector<ArchivePointPointer>& points,
                            bool whole, const VerifyOptions& options) {
  Verifier verifier(state, options);
  verifier.result_.points = points.size();
  for (const ArchivePointPointer& point : points) {
    for (const DataFilePointer& file : point->files) {
      try {
        for (const auto& layer : layers_of(point, file->disk))
          verifier.check(layer);
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::kInterrupted) throw;
        verifier.report(*point, error);
      }
    }
  }
  if (whole)
    for (const DataFilePointer& file : state.files.data) verifier.check(file);
  return std::move(verifier.result_);
}

}  // namespace backstitch::format
