#include "src/recovery/finalize.h"

#include <spdlog/spdlog.h>

#include <thread>

#include "format/base/error.h"
#include "format/base/file.h"
#include "format/repository/repository.h"
#include "format/sparsestream/archive.h"
#include "src/image/qemu_img.h"
#include "src/libvirt/connection.h"
#include "src/mounts/driver.h"
#include "src/recovery/boot_xml.h"
#include "src/recovery/disk_jobs.h"
#include "src/recovery/machine_files.h"
#include "src/recovery/new_file.h"
#include "src/recovery/restore.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

class Finalize {
 public:
  Finalize(Session session, const FinalizeOptions& options, Progress& progress)
      : session_(std::move(session)),
        options_(options),
        progress_(progress),
        connection_(session_.uri),
        guest_(open_guest(connection_, session_)),
        jobs_(guest_, options.bandwidth) {}

  FinalizeResult run() {
    try {
      return move_all();
    } catch (const Error&) {
      check_runs();
      throw;
    }
  }

 private:
  FinalizeResult move_all() {
    const auto begin = steady_clock::now();
    for (SessionDisk& disk : session_.disks) {
      observe(disk);
      if (disk.place == DiskPlace::kOverlay && options_.pull) pull(disk);
      if (disk.place == DiskPlace::kOverlay) copy(disk);
      if (disk.place == DiskPlace::kCopied) bridge(disk);
      if (disk.place == DiskPlace::kBridge) fold(disk);
      if (disk.target != disk.overlay) remove_tree(disk.overlay);
      remove_tree(disk.bridge);
    }
    define();
    unmount_tree(session_.mount_point);
    std::error_code ignored;
    fs::remove_all(fs::path(session_.mount_point).parent_path(), ignored);
    remove_session(session_.name);
    return {session_,
            std::chrono::duration_cast<std::chrono::milliseconds>(
                steady_clock::now() - begin),
            jobs_.longest_pause()};
  }

  static Guest open_guest(Connection& connection, const Session& session) {
    try {
      Guest guest(connection, session.uuid);
      if (guest.active()) return guest;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNotFound) throw;
    }
    throw Error(ErrorKind::kFailed, session.name +
                                        " does not run: start it with "
                                        "`backstitch boot --resume " +
                                        session.name + "`");
  }

  // All else that goes wrong is only a sign of that.
  void check_runs() { open_guest(connection_, session_); }

  // The machine runs, so what it runs on is the truth: a run that was killed
  // may not have come to note it. Its unfinished jobs end.
  void observe(SessionDisk& disk) {
    if (disk.place == DiskPlace::kFinal) return;
    jobs_.cancel(disk.name);
    const std::string path = jobs_.source(disk.name);
    const DiskPlace before = disk.place;
    if (path == disk.overlay && jobs_.stands_alone(disk.name))
      return note_pulled(disk);
    if (path == disk.target) disk.place = DiskPlace::kFinal;
    if (path == disk.bridge) disk.place = DiskPlace::kBridge;
    if (disk.place != before) save_session(session_);
  }

  // The overlay needs nothing below it any more.
  void note_pulled(SessionDisk& disk) {
    const std::string copied = disk.target;
    disk.target = disk.overlay;
    disk.format = "qcow2";
    disk.place = DiskPlace::kFinal;
    session_.xml =
        with_disk_at(session_.xml, disk.name, disk.target, disk.format);
    jobs_.settle([&] { save_session(session_); });
    if (copied != disk.target) remove_copy(copied);
  }

  static void remove_copy(const std::string& path) {
    sweep_new_files(path);
    remove_tree(path);
  }

  void pull(SessionDisk& disk) {
    jobs_.pull(disk.name, progress_);
    note_pulled(disk);
  }

  void copy(SessionDisk& disk) {
    sweep_new_files(disk.target);
    const auto repository = format::open_repository(session_.repository);
    const format::Point point =
        repository.domain(session_.domain).open_point(session_.point);
    const auto image =
        point.image(disk.name, std::make_shared<format::Caches>());
    restore_image(*image, disk.name, disk.target,
                  {.format = disk.format == "raw" ? ImageFormat::kRaw
                                                  : ImageFormat::kQcow2,
                   .overwrite = true,
                   .bandwidth = options_.bandwidth},
                  progress_);
    give_to_hypervisor(connection_, disk.target);
    disk.place = DiskPlace::kCopied;
    save_session(session_);
    spdlog::debug("{}: the point is in {}", disk.name, disk.target);
  }

  void bridge(SessionDisk& disk) {
    remove_tree(disk.bridge);
    create_overlay(disk.bridge, disk.target, disk.format);
    give_to_hypervisor(connection_, disk.bridge);
    const unsigned connected = connection_.generation();
    try {
      jobs_.start_copy(disk.name, disk.bridge);
    } catch (const Error& error) {
      check_runs();
      // Nobody has refused it: libvirtd went away.
      if (connection_.generation() != connected) throw;
      spdlog::warn("{}; its point is pulled instead, which takes longer",
                   error.what());
      return pull(disk);
    }
    jobs_.wait_until_ready(disk.name, progress_);
    jobs_.pivot(disk.name, disk.bridge, [&] {
      disk.place = DiskPlace::kBridge;
      save_session(session_);
    });
    spdlog::debug("{}: the machine runs on a bridge over it", disk.name);
  }

  void fold(SessionDisk& disk) {
    jobs_.commit(disk.name, progress_);
    jobs_.pivot(disk.name, disk.target, [&] {
      disk.place = DiskPlace::kFinal;
      save_session(session_);
    });
    spdlog::debug("{}: the machine runs on {}", disk.name, disk.target);
  }

  void define() {
    const DomainHandle domain(
        virDomainDefineXML(connection_.get(), session_.xml.c_str()));
    if (!domain) throw libvirt_failure("define " + session_.name);
  }

  Session session_;
  const FinalizeOptions options_;
  Progress& progress_;
  Connection connection_;
  Guest guest_;
  DiskJobs jobs_;
};

}  // namespace

FinalizeResult finalize_session(const std::string& name,
                                const FinalizeOptions& options,
                                Progress& progress) {
  const SessionLock lock(name);
  Session session = load_session(name);
  refuse_throw_away(session);
  return Finalize(std::move(session), options, progress).run();
}

}  // namespace backstitch::engine
