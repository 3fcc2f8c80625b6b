// A pull-mode backup job of libvirt: QEMU offers the disks as they were when
// the job began, over NBD, until the job is ended.
//
// Source: libvirt's formatbackup.html, and virDomainBackupBegin, which makes
// the checkpoint in the same transaction.
#pragma once

#include <string>
#include <vector>

#include "src/libvirt/connection.h"
#include "src/libvirt/nbd_server.h"

namespace backstitch::engine {

struct JobDisk {
  std::string target;    // "vda": also the name of its export
  std::string base;      // checkpoint to read from; empty: the whole disk
  std::string scratch;   // where QEMU keeps what the guest overwrites meanwhile
  bool records = false;  // gets a bitmap with the checkpoint
};

struct JobRequest {
  std::vector<JobDisk> disks;
  std::vector<std::string> left_out;  // targets of all other disks
  std::string checkpoint;             // to be made; empty: none
};

// The bitmap that the export of an incremental disk carries.
inline constexpr char kExportBitmap[] = "changed";

// Ends with the object, however that goes.
class BackupJob {
 public:
  // Begins it. Throws libvirt's reason; then there is neither job nor (but for
  // what a later sweep removes) checkpoint.
  BackupJob(Guest& guest, const NbdServer& server, const JobRequest& request);
  BackupJob(const BackupJob&) = delete;
  BackupJob& operator=(const BackupJob&) = delete;
  ~BackupJob();

  // Whether libvirt still has it.
  bool running();
  // Ends it after all was read. Throws when it had ended before.
  void finish();
  // `error` came up while reading: the same with what became of the domain.
  Error explain(const Error& error);

 private:
  std::string what_became_of_it();

  Guest& guest_;
  bool ended_ = false;
};

// The description of the domain's backup job; empty when there is none.
std::string running_job(Guest& guest);
// Ends a backup job and waits until it is gone. Throws kFailed.
void end_job(Guest& guest);

}  // namespace backstitch::engine
