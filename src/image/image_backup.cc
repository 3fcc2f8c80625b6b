#include "src/image/image_backup.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <future>

#include "format/repository/writer_lock.h"
#include "src/base/stop.h"
#include "src/image/bitmap_plan.h"
#include "src/image/image_lock.h"
#include "src/image/image_probe.h"
#include "src/image/qemu_nbd.h"
#include "src/nbd/copy_pipeline.h"
#include "src/nbd/nbd_source.h"

namespace backstitch::engine {
namespace {

using format::Level;
using format::Manifest;
using format::PointPlan;
using format::PointWriter;

// An image on its way into the point.
struct Job {
  std::string disk;
  ImageInfo image;
  ReadPlan plan;
  bool holds_bitmap = false;  // gets a new one
};

// The bitmaps that this run added: they go with it unless it is committed.
class NewBitmaps {
 public:
  NewBitmaps() = default;
  NewBitmaps(const NewBitmaps&) = delete;
  NewBitmaps& operator=(const NewBitmaps&) = delete;
  ~NewBitmaps() {
    for (const Added& added : added_) {
      try {
        remove_bitmap(added.image, added.bitmap);
      } catch (const Error& error) {
        // Harmless: the next run removes it.
        spdlog::warn("{}: cannot remove the bitmap {}: {}",
                     added.image.path.string(), added.bitmap, error.what());
      }
    }
  }

  // What an addition that failed may have left, the next run removes.
  void add(const ImageInfo& image, const std::string& bitmap) {
    add_bitmap(image, bitmap);
    added_.push_back({image, bitmap});
  }
  void keep() { added_.clear(); }

 private:
  struct Added {
    ImageInfo image;
    std::string bitmap;
  };
  std::vector<Added> added_;
};

// As what the disk was read last; empty when no point says.
std::string format_before(const format::Domain& domain,
                          const std::string& disk) {
  const auto numbers = domain.points();
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    try {
      const format::Point point = domain.open_point(*number);
      const format::DiskManifest* before = point.manifest().disk(disk);
      if (before == nullptr) continue;
      const auto format = before->source.find("format");
      return format == before->source.end() ? "" : format->second;
    } catch (const Error&) {
      continue;  // damaged: an older one tells as well
    }
  }
  return "";
}

// One run, step by step. Members go in reverse order: servers and locks before
// the bitmaps that are taken back, the domain's lock last.
class ImageBackup {
 public:
  ImageBackup(const format::Repository& repository,
              const ImageBackupRequest& request, Progress& progress)
      : repository_(repository),
        request_(request),
        progress_(progress),
        names_{.with_disk = !request.of_domain} {}

  Manifest run() {
    plan(probe_images(request_.images));
    writer_.emplace(repository_, *domain_, plan_, request_.compression,
                    std::make_shared<format::Caches>(kCacheSizes));
    sweep();
    add_bitmaps();
    for (const Job& job : jobs_) locks_.emplace_back(job.image.path);
    writer_->manifest().time = std::chrono::floor<std::chrono::milliseconds>(
        std::chrono::system_clock::now());
    start_servers();
    qemu_version_ = std::async(std::launch::async, qemu_version);
    for (size_t i = 0; i < jobs_.size(); ++i) copy(jobs_[i], *servers_[i]);
    if (request_.add_files) request_.add_files(*writer_);
    commit();
    tidy();
    return writer_->manifest();
  }

  std::vector<DiskEstimate> estimate() {
    plan(probe_images(request_.images));
    std::vector<DiskEstimate> list;
    for (const Job& job : jobs_)
      list.push_back({job.disk, bytes_to_read(job), job.plan.reason});
    return list;
  }

 private:
  // Decides the level and how each disk is read.
  void plan(const std::vector<ImageInfo>& infos) {
    domain_.emplace(repository_.create_domain(request_.name));
    lock_.emplace(*domain_);
    plan_ = format::plan_point(*domain_, request_.level);
    for (size_t i = 0; i < infos.size(); ++i) {
      const ImageArgument& argument = request_.images[i];
      const auto* base = plan_.base(argument.disk);
      const Manifest* manifest = base ? &base->point.manifest() : nullptr;
      check_format(argument, infos[i], format_before(*domain_, argument.disk));
      Job job{
          argument.disk, infos[i],
          plan_read(infos[i], argument.disk, plan_.level, manifest, names_)};
      check_identity(job, manifest);
      job.holds_bitmap = !is_copy() && why_no_bitmap(infos[i]).empty() &&
                         why_not_writable(infos[i]).empty();
      jobs_.push_back(std::move(job));
    }
  }

  static uint64_t bytes_to_read(const Job& job) {
    if (job.plan.bitmap.empty()) return job.image.size_bytes;
    QemuNbd server(job.image.path,
                   {.format = job.image.format, .bitmap = job.plan.bitmap});
    try {
      NbdSource source(server.address(), {.bitmap = job.plan.bitmap});
      uint64_t bytes = 0;
      while (const auto run = source.next_run({})) {
        if (run->state != ChunkState::kClean)
          bytes += run->count * format::kChunkBytes;
      }
      return std::min(bytes, job.image.size_bytes);
    } catch (const Error& error) {
      throw server.explain(error);
    }
  }

  // A bitmap without the disk's name must be about this file, and about all
  // that was written: a snapshot that was taken of the running domain has begun
  // another one of the same name above it.
  void check_identity(Job& job, const Manifest* base) {
    if (names_.with_disk || job.plan.bitmap.empty()) return;
    std::vector<std::string> paths;
    bool below = false;
    for (const ImageInfo& image : examine_chain(job.image)) {
      below =
          below || (!paths.empty() && image.bitmap(job.plan.bitmap) != nullptr);
      paths.push_back(image.path);
    }
    std::string reason =
        why_other_image(*base->disk(job.disk), base->point, paths, inode_of);
    if (reason.empty() && below) {
      reason =
          "a snapshot was taken since point " + std::to_string(base->point);
    }
    if (!reason.empty()) job.plan = {"", reason};
  }

  // Removes bitmaps that no later point can build on. One that stays does no
  // harm, so what fails here (a damaged manifest, say, from which nobody can
  // tell which are useful) is no failure of the backup.
  void sweep() {
    if (is_copy()) return;
    for (Job& job : jobs_) {
      try {
        remove_useless(job);
      } catch (const Error& error) {
        spdlog::warn("old bitmaps stay for now: {}", error.what());
      }
    }
  }

  void remove_useless(Job& job) {
    if (!job.holds_bitmap) return;
    const auto obsolete = obsolete_bitmaps(
        job.image, job.disk, checkpoint_prefix(repository_.id(), request_.name),
        useful_checkpoints(*domain_), names_);
    for (const std::string& bitmap : obsolete) {
      spdlog::debug("{}: removing the bitmap {}", job.image.path.string(),
                    bitmap);
      remove_bitmap(job.image, bitmap);
      std::erase_if(job.image.bitmaps, [&](const ImageBitmap& known) {
        return known.name == bitmap;
      });
    }
  }

  void add_bitmaps() {
    if (is_copy()) return;
    const std::string checkpoint =
        checkpoint_name(repository_.id(), writer_->manifest());
    for (const Job& job : jobs_) {
      if (!job.holds_bitmap) continue;
      new_bitmaps_.add(job.image, names_.of(checkpoint, job.disk));
      writer_->manifest().checkpoint = checkpoint;
    }
  }

  void start_servers() {
    for (const Job& job : jobs_) {
      check_stop();
      servers_.push_back(std::make_unique<QemuNbd>(
          job.image.path, QemuNbdOptions{.format = job.image.format,
                                         .bitmap = job.plan.bitmap}));
    }
  }

  void copy(const Job& job, QemuNbd& server) {
    if (!job.plan.reason.empty())
      spdlog::info("{}: reading all of it: {}", job.disk, job.plan.reason);
    try {
      NbdSource source(server.address(), {.bitmap = job.plan.bitmap});
      if (source.size_bytes() != job.image.size_bytes) {
        throw Error(ErrorKind::kBusy, "was resized in the meantime");
      }
      format::DiskWriter& disk =
          writer_->add_disk(job.disk, source.size_bytes());
      describe_source(job.image, disk.manifest());
      disk.manifest().read = job.plan.bitmap.empty() ? "whole" : "bitmap";
      disk.manifest().reason = job.plan.reason;
      progress_.begin(job.disk, source.size_bytes());
      disk.manifest().read_bytes =
          copy_disk(source, disk, progress_,
                    {.bytes_per_second = request_.bandwidth})
              .read_bytes;
      progress_.end();
    } catch (const Error& error) {
      throw server.explain(error);
    }
  }

  void commit() {
    for (const ImageLock& lock : locks_) lock.check_unchanged();
    check_stop();
    Manifest& manifest = writer_->manifest();
    const auto end = std::chrono::system_clock::now();
    manifest.consistency = "offline";
    manifest.duration_ms = static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(end -
                                                              manifest.time)
            .count());
    manifest.tools["qemu"] = qemu_version_.get();
    manifest.tools["libnbd"] = nbd_library_version();
    writer_->commit();
    new_bitmaps_.keep();
  }

  // The point is there: what fails now is no failure of the backup.
  void tidy() {
    servers_.clear();
    locks_.clear();
    sweep();
  }

  bool is_copy() const { return plan_.level == Level::kCopy; }

  // Chunks of the base are compared, not read twice: few need to be kept.
  static constexpr format::CacheSizes kCacheSizes{
      .page_bytes = 16 << 20, .chunk_bytes = 1 << 20, .open_files = 256};

  const format::Repository& repository_;
  const ImageBackupRequest& request_;
  Progress& progress_;
  const BitmapNames names_;
  std::optional<format::Domain> domain_;
  std::optional<format::WriterLock> lock_;
  PointPlan plan_;
  std::vector<Job> jobs_;
  NewBitmaps new_bitmaps_;
  std::vector<ImageLock> locks_;
  std::vector<std::unique_ptr<QemuNbd>> servers_;
  std::optional<PointWriter> writer_;
  std::future<std::string> qemu_version_;  // asked for while disks are read
};

}  // namespace

Manifest backup_images(const format::Repository& repository,
                       const ImageBackupRequest& request, Progress& progress) {
  return ImageBackup(repository, request, progress).run();
}

std::vector<DiskEstimate> estimate_images(const format::Repository& repository,
                                          const ImageBackupRequest& request) {
  Progress nothing;
  return ImageBackup(repository, request, nothing).estimate();
}

}  // namespace backstitch::engine
