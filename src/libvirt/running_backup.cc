#include "src/libvirt/running_backup.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <set>

#include "src/base/stop.h"
#include "src/libvirt/checkpoints.h"
#include "src/nbd/copy_pipeline.h"
#include "src/nbd/nbd_source.h"

namespace backstitch::engine {
namespace {

using format::Level;
using format::Manifest;

// Chunks of the base are compared, not read twice: few need to be kept.
constexpr format::CacheSizes kCacheSizes{
    .page_bytes = 16 << 20, .chunk_bytes = 1 << 20, .open_files = 256};

std::string consistency_of(Guest& guest, bool frozen) {
  if (frozen) return "agent-frozen";
  return guest.state() == VIR_DOMAIN_PAUSED ? "paused" : "crash";
}

}  // namespace

RunningBackup::RunningBackup(const format::Repository& repository, Guest& guest,
                             const Host& host,
                             const DomainBackupRequest& request,
                             Progress& progress)
    : repository_(repository),
      guest_(guest),
      host_(host),
      request_(request),
      progress_(progress),
      name_(request.name.empty() ? guest.name() : request.name),
      prefix_(checkpoint_prefix(repository.id(), name_)) {}

RunningBackup::~RunningBackup() {
  job_.reset();
  if (checkpoint_.empty()) return;
  try {
    if (checkpoint_names(guest_).contains(checkpoint_))
      delete_checkpoint(guest_, checkpoint_);
  } catch (const Error& error) {
    // Harmless: the next run deletes it.
    spdlog::warn("the checkpoint {} stays for now: {}", checkpoint_,
                 error.what());
  }
}

void RunningBackup::warn(const std::string& text) {
  spdlog::warn("{}: {}", guest_.name(), text);
  result_.warnings.push_back(text);
}

// --- What there is to do ---

DomainBackupResult RunningBackup::run() {
  prepare();
  if (request_.threshold != 0 && through_bitmap()) {
    for (const DiskEstimate& disk : estimates())
      result_.changed_bytes += disk.bytes;
    if (result_.changed_bytes < request_.threshold) return std::move(result_);
  }
  sweep();
  writer_ = std::make_unique<format::PointWriter>(
      repository_, *domain_, plan_, request_.compression,
      std::make_shared<format::Caches>(kCacheSizes));
  server_ = make_server(guest_, host_, request_.server);
  writer_->manifest().consistency = begin();
  for (const std::string& missing :
       add_side_files(*writer_, guest_, host_, descriptions_)) {
    warn(missing);
  }
  for (const Disk& disk : disks_) copy(disk);
  commit();
  sweep();
  return std::move(result_);
}

std::vector<DiskEstimate> RunningBackup::estimate() {
  prepare();
  return estimates();
}

void RunningBackup::prepare() {
  descriptions_ = describe_machine(guest_);
  choice_ = choose_disks(descriptions_.xml, request_.include, request_.exclude);
  for (const std::string& note : choice_.notes)
    spdlog::info("{}: left out {}", guest_.name(), note);
  resolve_volumes(guest_.connection(), choice_.disks);
  domain_.emplace(repository_.create_domain(name_));
  lock_.emplace(*domain_);
  end_stale_job();
  plan_ = format::plan_point(*domain_, request_.level);
  for (const DomainDisk& disk : choice_.disks)
    disks_.push_back(plan_disk(disk));
  if (through_bitmap()) offer_checkpoint();
}

// A job whose scratch files are called as ours was left by a run that was
// killed: whoever still runs holds the domain's lock.
void RunningBackup::end_stale_job() {
  const std::string job = running_job(guest_);
  if (job.empty()) return;
  if (job.find("/" + prefix_) == std::string::npos) {
    throw Error(ErrorKind::kBusy, "somebody else is backing up " +
                                      guest_.name() + "; `virsh domjobabort " +
                                      guest_.name() +
                                      "` ends that if it is a leftover");
  }
  spdlog::info("{}: ending the job of a backup that was killed", guest_.name());
  end_job(guest_);
}

const Manifest* RunningBackup::base() const {
  return plan_.bases.empty() ? nullptr : &plan_.bases.front().point.manifest();
}

RunningBackup::Disk RunningBackup::plan_disk(const DomainDisk& disk) {
  Disk planned{disk, look_at_image(host_, disk), "", false};
  virDomainBlockInfo info{};
  if (virDomainGetBlockInfo(guest_.get(), disk.target.c_str(), &info, 0) != 0)
    throw libvirt_failure("learn the size of " + disk.target);
  planned.image.size_bytes = info.capacity;
  planned.records = plan_.level != Level::kCopy && !disk.readonly &&
                    !disk.transient && why_no_bitmap(planned.image).empty();
  const auto* known = plan_.base(disk.target);
  planned.reason = why_whole_disk(
      planned, known != nullptr ? &known->point.manifest() : nullptr);
  return planned;
}

std::string RunningBackup::why_whole_disk(const Disk& disk,
                                          const Manifest* before) {
  std::string reason =
      why_whole(disk.image, disk.domain.target, plan_.level, before);
  if (!reason.empty()) return reason;
  if (!disk.records) return "the disk holds no dirty bitmap";
  assert(before != nullptr);  // else why_whole has said so
  std::vector<std::string> chain = disk.domain.backing;
  chain.push_back(disk.domain.path);
  return why_other_image(
      *before->disk(disk.domain.target), before->point, chain,
      [this](const std::string& path) { return inode_at(host_, path); });
}

bool RunningBackup::through_bitmap() const {
  return std::ranges::any_of(
      disks_, [](const Disk& disk) { return disk.reason.empty(); });
}

void RunningBackup::read_whole(const std::string& reason) {
  for (Disk& disk : disks_) {
    if (disk.reason.empty()) disk.reason = reason;
  }
}

// libvirt forgets the checkpoints of transient domains, does not take them
// along when a domain moves, and knows nothing of bitmaps made while it was
// off.
void RunningBackup::offer_checkpoint() {
  if (checkpoint_names(guest_).contains(base()->checkpoint)) return;
  std::vector<std::string> targets;
  for (const Disk& disk : disks_) {
    if (disk.reason.empty()) targets.push_back(disk.domain.target);
  }
  try {
    redefine_checkpoint(guest_, base()->checkpoint, base()->time, targets);
  } catch (const Error& error) {
    read_whole("libvirt does not know the checkpoint of point " +
               std::to_string(base()->point) + " any more");
    warn(error.what());
  }
}

std::vector<DiskEstimate> RunningBackup::estimates() {
  std::map<std::string, uint64_t> known;
  if (through_bitmap()) {
    try {
      known = bytes_since(guest_, base()->checkpoint);
    } catch (const Error& error) {
      read_whole("the bitmap of point " + std::to_string(base()->point) +
                 " cannot be used");
      spdlog::debug("{}", error.what());
    }
  }
  std::vector<DiskEstimate> list;
  for (const Disk& disk : disks_) {
    const auto found = known.find(disk.domain.target);
    const bool by_bitmap = disk.reason.empty() && found != known.end();
    list.push_back({disk.domain.target,
                    by_bitmap ? found->second : disk.image.size_bytes,
                    disk.reason});
  }
  return list;
}

// Bitmaps of checkpoints that libvirt does not know could never be deleted: it
// lost its state, or the domain had ended when an orphan was to go.
void RunningBackup::recall(const std::vector<std::string>& useful) {
  std::set<std::string> names(useful.begin(), useful.end());
  std::vector<std::string> targets;
  for (const Disk& disk : disks_) {
    if (disk.records) targets.push_back(disk.domain.target);
    for (const ImageBitmap& bitmap : disk.image.bitmaps) {
      if (is_our_checkpoint(bitmap.name, prefix_)) names.insert(bitmap.name);
    }
  }
  if (targets.empty()) return;
  const auto known = checkpoint_names(guest_);
  for (const std::string& name : names) {
    if (name.empty() || known.contains(name)) continue;
    try {
      redefine_checkpoint(guest_, name, format::now(), targets);
    } catch (const Error& error) {
      spdlog::debug("{}", error.what());
    }
  }
}

// Deletes those of our checkpoints that no later point can build on. One that
// stays costs the guest a little and does no harm.
void RunningBackup::sweep() {
  if (plan_.level == Level::kCopy) return;
  try {
    const auto useful = useful_checkpoints(*domain_);
    recall(useful);
    for (const std::string& name : checkpoint_names(guest_)) {
      if (!is_our_checkpoint(name, prefix_) ||
          std::ranges::find(useful, name) != useful.end()) {
        continue;
      }
      spdlog::debug("deleting the checkpoint {}", name);
      delete_checkpoint(guest_, name);
    }
  } catch (const Error& error) {
    warn(std::string("old checkpoints stay for now: ") + error.what());
  }
}

// --- The job ---

JobRequest RunningBackup::job_request() const {
  JobRequest request;
  request.left_out = choice_.left_out;
  for (const Disk& disk : disks_) {
    request.disks.push_back(
        {disk.domain.target, disk.reason.empty() ? base()->checkpoint : "",
         scratch_path(request_.scratch, prefix_, disk.domain), disk.records});
  }
  const bool records = std::ranges::any_of(request.disks, &JobDisk::records);
  if (records)
    request.checkpoint = checkpoint_name(repository_.id(), writer_->manifest());
  return request;
}

// Begins the job, and says how consistent it is. A bitmap that turns out to be
// broken costs its disk a whole read, not the point.
std::string RunningBackup::begin() {
  JobRequest request = job_request();
  std::vector<std::string> files;
  for (const JobDisk& disk : request.disks) files.push_back(disk.scratch);
  scratch_ = std::make_unique<ScratchWatch>(host_, files);
  // libvirt takes no file that is there already: the leftover of a QEMU that
  // was killed.
  try {
    Arguments remove = {"rm", "-f", "--"};
    remove.insert(remove.end(), files.begin(), files.end());
    host_.run(remove);
  } catch (const Error& error) {
    spdlog::debug("{}", error.what());
  }
  check_stop();
  try {
    return begin_job(request);
  } catch (const Error& error) {
    if (job_ || !through_bitmap() || !guest_.active()) throw;
    spdlog::debug("{}", error.what());
    try_bitmaps();
    const bool all_work = std::ranges::equal(
        job_request().disks, request.disks, {}, &JobDisk::base, &JobDisk::base);
    if (all_work) throw;
  }
  return begin_job(job_request());
}

std::string RunningBackup::begin_job(const JobRequest& request) {
  Freeze freeze(guest_, request_.freeze);
  std::string consistency = consistency_of(guest_, freeze.frozen());
  // Also one that failed may have left it.
  checkpoint_ = request.checkpoint;
  job_ = std::make_unique<BackupJob>(guest_, *server_, request);
  writer_->manifest().time = format::now();
  scratch_->guard(guest_.connection().uri(), guest_.uuid());
  if (freeze.failed()) {
    warn("the file systems were not frozen: " + freeze.why_not());
    descriptions_.xml.has_agent = false;  // nor is it waited for again
  }
  try {
    result_.frozen = freeze.thaw();
  } catch (const Error& error) {
    if (request_.freeze.quiesce == Quiesce::kRequire) throw;
    consistency = "crash";
    warn(error.what());
    descriptions_.xml.has_agent = false;
  }
  if (!checkpoint_.empty()) {
    writer_->manifest().checkpoint = checkpoint_;
    writer_->manifest().checkpoint_xml = checkpoint_xml(guest_, checkpoint_);
  }
  return consistency;
}

// Which of the bitmaps libvirt can read through is found out by trying: it
// refuses a whole job for one of them.
void RunningBackup::try_bitmaps() {
  const JobRequest all = job_request();
  for (size_t i = 0; i < disks_.size(); ++i) {
    if (!disks_[i].reason.empty()) continue;
    JobRequest one;
    for (const JobDisk& disk : all.disks) {
      if (disk.target != all.disks[i].target)
        one.left_out.push_back(disk.target);
    }
    one.disks = {all.disks[i]};
    one.left_out.insert(one.left_out.end(), all.left_out.begin(),
                        all.left_out.end());
    try {
      BackupJob trial(guest_, *server_, one);
    } catch (const Error& error) {
      disks_[i].reason = "the bitmap of point " +
                         std::to_string(base()->point) + " cannot be used";
      warn(disks_[i].domain.target + ": " + disks_[i].reason + ": " +
           error.what());
    }
  }
}

void RunningBackup::copy(const Disk& disk) {
  const std::string& target = disk.domain.target;
  if (!disk.reason.empty())
    spdlog::info("{}: reading all of it: {}", target, disk.reason);
  try {
    NbdSource source(server_->address(target),
                     {.bitmap = disk.reason.empty() ? kExportBitmap : ""});
    if (source.size_bytes() != disk.image.size_bytes)
      throw Error(ErrorKind::kBusy, "was resized in the meantime");
    format::DiskWriter& writer = writer_->add_disk(target, source.size_bytes());
    format::DiskManifest& manifest = writer.manifest();
    describe_source(disk.image, manifest);
    manifest.source["type"] = disk.domain.type;
    manifest.read = disk.reason.empty() ? "bitmap" : "whole";
    manifest.reason = disk.reason;
    progress_.begin(target, source.size_bytes());
    manifest.read_bytes = copy_disk(source, writer, progress_,
                                    {.bytes_per_second = request_.bandwidth})
                              .read_bytes;
    progress_.end();
  } catch (const Error& error) {
    const std::string shortage = scratch_->failure();
    if (!shortage.empty()) throw Error(ErrorKind::kFailed, shortage);
    throw job_->explain(add_context(error, target));
  }
}

void RunningBackup::commit() {
  check_stop();
  const std::string shortage = scratch_->failure();
  if (!shortage.empty()) throw Error(ErrorKind::kFailed, shortage);
  job_->finish();
  scratch_.reset();
  Manifest& manifest = writer_->manifest();
  manifest.duration_ms =
      static_cast<uint64_t>((format::now() - manifest.time).count());
  manifest.tools["libvirt"] = guest_.connection().libvirt_version();
  manifest.tools["qemu"] = guest_.connection().hypervisor_version();
  manifest.tools["libnbd"] = nbd_library_version();
  writer_->commit();
  checkpoint_.clear();
  result_.manifest = manifest;
}

}  // namespace backstitch::engine
