#include "src/libvirt/domain_backup.h"

#include <spdlog/spdlog.h>

#include "src/image/image_backup.h"
#include "src/libvirt/domain_disks.h"
#include "src/libvirt/guard.h"
#include "src/libvirt/running_backup.h"
#include "src/libvirt/side_files.h"

namespace backstitch::engine {
namespace {

// A domain that was off, started without running, for as long as it lives.
class PausedStart {
 public:
  explicit PausedStart(Guest& guest)
      : guest_(guest),
        guard_(GuardDuty::kPowerOff, guest.connection().uri(), guest.uuid(),
               kNoLimit) {
    if (virDomainCreateWithFlags(guest.get(), VIR_DOMAIN_START_PAUSED) != 0)
      throw libvirt_failure("start " + guest.name() + " paused");
  }
  PausedStart(const PausedStart&) = delete;
  PausedStart& operator=(const PausedStart&) = delete;
  ~PausedStart() {
    try {
      // Whoever let it run meanwhile wants it to.
      if (guest_.state() == VIR_DOMAIN_PAUSED &&
          virDomainDestroy(guest_.get()) != 0)
        throw libvirt_failure("end " + guest_.name() + " again");
      guard_.dismiss();
    } catch (const Error& error) {
      spdlog::warn("{}", error.what());
    }
  }

 private:
  Guest& guest_;
  Guard guard_;
};

ImageBackupRequest image_request(Guest& guest, const Host& host,
                                 const DomainBackupRequest& request,
                                 const Descriptions& descriptions) {
  if (!host.local()) {
    throw Error(ErrorKind::kUnsupported,
                guest.name() +
                    " is off, and its images are on another host: "
                    "say --start-paused");
  }
  DiskChoice choice =
      choose_disks(descriptions.xml, request.include, request.exclude);
  for (const std::string& note : choice.notes)
    spdlog::info("{}: left out {}", guest.name(), note);
  resolve_volumes(guest.connection(), choice.disks);
  ImageBackupRequest images;
  images.name = request.name.empty() ? guest.name() : request.name;
  images.level = request.level;
  images.compression = request.compression;
  images.bandwidth = request.bandwidth;
  images.of_domain = true;
  for (const DomainDisk& disk : choice.disks) {
    if (disk.path.empty()) {
      throw Error(ErrorKind::kUnsupported,
                  guest.name() + " is off, and " + disk.target +
                      " is a disk of type " + disk.type +
                      ": say --start-paused, or --exclude " + disk.target);
    }
    images.images.push_back(
        {disk.target, disk.path, disk.format.empty() ? "raw" : disk.format});
  }
  return images;
}

DomainBackupResult backup_off(const format::Repository& repository,
                              Guest& guest, const Host& host,
                              const DomainBackupRequest& request,
                              Progress& progress) {
  if (request.freeze.quiesce == Quiesce::kRequire)
    spdlog::info("{} is off: there is nothing to freeze", guest.name());
  DomainBackupResult result;
  const Descriptions descriptions = describe_machine(guest);
  ImageBackupRequest images = image_request(guest, host, request, descriptions);
  images.add_files = [&](format::PointWriter& writer) {
    for (const std::string& missing :
         add_side_files(writer, guest, host, descriptions)) {
      spdlog::warn("{}: {}", guest.name(), missing);
      result.warnings.push_back(missing);
    }
  };
  if (request.threshold != 0) {
    result.changed_bytes = 0;
    bool whole = false;
    for (const DiskEstimate& image : estimate_images(repository, images)) {
      result.changed_bytes += image.bytes;
      whole = whole || !image.reason.empty();
    }
    if (!whole && result.changed_bytes < request.threshold) return result;
  }
  result.manifest = backup_images(repository, images, progress);
  return result;
}

}  // namespace

DomainBackupResult backup_domain(const format::Repository& repository,
                                 const std::string& uri,
                                 const DomainBackupRequest& request,
                                 Progress& progress) {
  Connection connection(uri);
  const auto host = host_of(uri);
  Guest guest(connection, request.domain);
  std::optional<PausedStart> started;
  if (!guest.active()) {
    if (!request.start_paused)
      return backup_off(repository, guest, *host, request, progress);
    started.emplace(guest);
  }
  return RunningBackup(repository, guest, *host, request, progress).run();
}

std::vector<DiskEstimate> estimate_domain(const format::Repository& repository,
                                          const std::string& uri,
                                          const DomainBackupRequest& request) {
  Connection connection(uri);
  const auto host = host_of(uri);
  Guest guest(connection, request.domain);
  Progress nothing;
  if (guest.active()) {
    return RunningBackup(repository, guest, *host, request, nothing).estimate();
  }
  return estimate_images(repository, image_request(guest, *host, request,
                                                   describe_machine(guest)));
}

}  // namespace backstitch::engine
