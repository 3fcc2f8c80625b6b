#include "src/libvirt/backup_job.h"

#include <libvirt/virterror.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <pugixml.hpp>
#include <sstream>
#include <thread>

namespace backstitch::engine {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kEndPatience{30};
constexpr std::chrono::seconds kSettlePatience{1};

std::string to_string(const pugi::xml_document& document) {
  std::ostringstream text;
  document.save(text);
  return text.str();
}

void describe(pugi::xml_node list, const JobDisk& disk) {
  pugi::xml_node node = list.append_child("disk");
  node.append_attribute("name") = disk.target.c_str();
  node.append_attribute("backup") = "yes";
  node.append_attribute("type") = "file";
  node.append_attribute("exportname") = disk.target.c_str();
  if (disk.base.empty()) {
    node.append_attribute("backupmode") = "full";
  } else {
    node.append_attribute("backupmode") = "incremental";
    node.append_attribute("incremental") = disk.base.c_str();
    node.append_attribute("exportbitmap") = kExportBitmap;
  }
  node.append_child("scratch").append_attribute("file") = disk.scratch.c_str();
}

std::string backup_xml(const NbdServer& server, const JobRequest& request) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("domainbackup");
  root.append_attribute("mode") = "pull";
  server.describe(root.append_child("server"));
  pugi::xml_node list = root.append_child("disks");
  for (const JobDisk& disk : request.disks) describe(list, disk);
  for (const std::string& target : request.left_out) {
    pugi::xml_node node = list.append_child("disk");
    node.append_attribute("name") = target.c_str();
    node.append_attribute("backup") = "no";
  }
  return to_string(document);
}

std::string checkpoint_xml(const JobRequest& request) {
  if (request.checkpoint.empty()) return {};
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("domaincheckpoint");
  root.append_child("name").text() = request.checkpoint.c_str();
  pugi::xml_node list = root.append_child("disks");
  const auto add = [&](const std::string& target, bool records) {
    pugi::xml_node node = list.append_child("disk");
    node.append_attribute("name") = target.c_str();
    node.append_attribute("checkpoint") = records ? "bitmap" : "no";
  };
  for (const JobDisk& disk : request.disks) add(disk.target, disk.records);
  for (const std::string& target : request.left_out) add(target, false);
  return to_string(document);
}

std::string state_words(int state) {
  switch (state) {
    case VIR_DOMAIN_SHUTOFF:
      return "was shut down or died";
    case VIR_DOMAIN_CRASHED:
      return "crashed";
    default:
      return {};
  }
}

}  // namespace

BackupJob::BackupJob(Guest& guest, const NbdServer& server,
                     const JobRequest& request)
    : guest_(guest) {
  const std::string backup = backup_xml(server, request);
  const std::string checkpoint = checkpoint_xml(request);
  spdlog::trace("{}{}", backup, checkpoint);
  if (virDomainBackupBegin(guest.get(), backup.c_str(),
                           checkpoint.empty() ? nullptr : checkpoint.c_str(),
                           0) != 0) {
    const Error failure =
        libvirt_failure("begin the backup of " + guest.name());
    if (guest.active()) throw Error(failure);
    throw Error(ErrorKind::kFailed, guest.name() +
                                        " was shut down before its backup "
                                        "began; back it up as it is now");
  }
}

BackupJob::~BackupJob() {
  if (ended_) return;
  try {
    end_job(guest_);
  } catch (const Error& error) {
    // The next backup ends it.
    spdlog::warn("{}", error.what());
  }
}

bool BackupJob::running() { return !running_job(guest_).empty(); }

void BackupJob::finish() {
  if (!running()) {
    ended_ = true;
    throw explain(Error(
        ErrorKind::kFailed,
        "the backup job of " + guest_.name() + " ended before all was read"));
  }
  end_job(guest_);
  ended_ = true;
}

Error BackupJob::explain(const Error& error) {
  if (error.kind() == ErrorKind::kInterrupted) return error;
  std::string what;
  try {
    what = what_became_of_it();
  } catch (const Error& other) {
    return Error(error.kind(), std::string(error.what()) + "; " + other.what(),
                 error.system_errno());
  }
  if (what.empty()) return error;
  return Error(error.kind(), what + " (" + error.what() + ")",
               error.system_errno());
}

// A machine that dies loses its connections first, then libvirt notices.
std::string BackupJob::what_became_of_it() {
  const auto deadline = steady_clock::now() + kSettlePatience;
  while (true) {
    const std::string words = state_words(guest_.state());
    if (!words.empty()) {
      return guest_.name() + " " + words +
             " while it was backed up; back it up as it is now";
    }
    if (steady_clock::now() > deadline) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (running()) return {};
  return "libvirt ended the backup job of " + guest_.name();
}

std::string running_job(Guest& guest) {
  char* text = virDomainBackupGetXMLDesc(guest.get(), 0);
  if (text != nullptr) return take_text(text, "");
  const virErrorPtr error = virGetLastError();
  const bool none =
      error != nullptr && (error->code == VIR_ERR_NO_DOMAIN_BACKUP ||
                           error->code == VIR_ERR_OPERATION_INVALID ||
                           error->code == VIR_ERR_NO_DOMAIN);
  if (none) return {};
  throw libvirt_failure("look for a backup job of " + guest.name());
}

void end_job(Guest& guest) {
  const auto deadline = steady_clock::now() + kEndPatience;
  auto pause = std::chrono::milliseconds(1);
  while (!running_job(guest).empty()) {
    // Fails when the job ends in this moment by itself.
    if (virDomainAbortJob(guest.get()) != 0)
      spdlog::debug("{}", libvirt_failure("end the backup job").what());
    if (steady_clock::now() > deadline) {
      throw Error(ErrorKind::kFailed, "the backup job of " + guest.name() +
                                          " does not end; `virsh domjobabort " +
                                          guest.name() + "` may help");
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::milliseconds(200));
  }
}

}  // namespace backstitch::engine
