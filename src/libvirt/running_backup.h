// Backup of a domain that has a QEMU: running or paused.
#pragma once

#include <memory>

#include "format/repository/writer_lock.h"
#include "src/image/bitmap_plan.h"
#include "src/libvirt/backup_job.h"
#include "src/libvirt/domain_backup.h"
#include "src/libvirt/domain_disks.h"
#include "src/libvirt/host.h"
#include "src/libvirt/scratch.h"
#include "src/libvirt/side_files.h"

namespace backstitch::engine {

// One run, step by step. Members go in reverse order: the job before the
// checkpoint that is taken back, the domain's lock last.
class RunningBackup {
 public:
  RunningBackup(const format::Repository& repository, Guest& guest,
                const Host& host, const DomainBackupRequest& request,
                Progress& progress);
  RunningBackup(const RunningBackup&) = delete;
  RunningBackup& operator=(const RunningBackup&) = delete;
  ~RunningBackup();

  DomainBackupResult run();
  std::vector<DiskEstimate> estimate();

 private:
  // A disk on its way into the point.
  struct Disk {
    DomainDisk domain;
    ImageInfo image;
    std::string reason;  // why whole; empty: through the base's bitmap
    bool records = false;
  };

  void prepare();
  void end_stale_job();
  Disk plan_disk(const DomainDisk& disk);
  std::string why_whole_disk(const Disk& disk, const format::Manifest* before);
  void offer_checkpoint();
  void read_whole(const std::string& reason);
  bool through_bitmap() const;
  std::vector<DiskEstimate> estimates();

  void sweep();
  void recall(const std::vector<std::string>& useful);
  JobRequest job_request() const;
  std::string begin();
  std::string begin_job(const JobRequest& request);
  void try_bitmaps();
  void copy(const Disk& disk);
  void commit();
  void warn(const std::string& text);
  const format::Manifest* base() const;

  const format::Repository& repository_;
  Guest& guest_;
  const Host& host_;
  const DomainBackupRequest& request_;
  Progress& progress_;
  const std::string name_;    // in the repository
  const std::string prefix_;  // of our checkpoints and scratch files
  DomainBackupResult result_;
  Descriptions descriptions_;
  DiskChoice choice_;
  std::vector<Disk> disks_;
  std::optional<format::Domain> domain_;
  std::optional<format::WriterLock> lock_;
  format::PointPlan plan_;
  std::string checkpoint_;  // made by this run; goes with it unless committed
  std::unique_ptr<NbdServer> server_;
  std::unique_ptr<ScratchWatch> scratch_;
  std::unique_ptr<BackupJob> job_;
  std::unique_ptr<format::PointWriter> writer_;
};

}  // namespace backstitch::engine
