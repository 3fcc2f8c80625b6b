#include "src/recovery/boot.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "format/base/error.h"
#include "format/base/file.h"
#include "src/base/stop.h"
#include "src/image/qemu_img.h"
#include "src/libvirt/connection.h"
#include "src/mounts/driver.h"
#include "src/recovery/machine_files.h"
#include "src/recovery/new_file.h"
#include "src/recovery/session_plan.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

// Only the hypervisor's user (and root) may look at the images.
void make_mount_point(const Session& session, Connection& connection) {
  const fs::path mount_point = session.mount_point;
  std::error_code code;
  fs::create_directories(mount_point, code);
  if (code) throw system_error(code.value(), "create " + session.mount_point);
  const fs::path own = mount_point.parent_path();
  fs::permissions(
      own.parent_path(),
      fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec,
      code);
  fs::permissions(own, fs::perms::owner_all, code);
  give_to_hypervisor(connection, own);
}

void mount_point_of(const Session& session, Connection& connection) {
  make_mount_point(session, connection);
  // QEMU is another user, unless a plain user's own libvirt starts it.
  const bool shared =
      ::geteuid() == 0 || session.uri.find("/session") == std::string::npos;
  mount_tree(session.repository, session.mount_point,
             {session.domain + "@" + std::to_string(session.point)}, shared);
}

void start(Connection& connection, Session& session, bool paused) {
  const unsigned flags = paused ? VIR_DOMAIN_START_PAUSED : 0;
  DomainHandle domain(virDomainCreateXML(
      connection.get(), description_now(session).c_str(), flags));
  if (!domain && session.xml.find("type=\"kvm\"") != std::string::npos) {
    // A host may claim to have KVM and fail at it.
    spdlog::warn("{}; trying without KVM",
                 libvirt_failure("start " + session.name).what());
    session.xml = emulated(session.xml);
    domain.reset(virDomainCreateXML(connection.get(),
                                    description_now(session).c_str(), flags));
  }
  if (!domain) throw libvirt_failure("start " + session.name);
}

void check_free(Connection& connection, const Session& session) {
  const DomainHandle taken(
      virDomainLookupByName(connection.get(), session.name.c_str()));
  if (taken) {
    throw Error(ErrorKind::kUsage,
                "there is a domain " + session.name + " already: say --name");
  }
  for (const Session& other : all_sessions()) {
    if (other.name == session.name) {
      throw Error(ErrorKind::kUsage, session.name +
                                         " is being recovered already: say "
                                         "--name, or `backstitch discard " +
                                         session.name + "`");
    }
  }
  std::error_code code;
  const fs::path storage = session.throw_away
                               ? fs::path(session.storage).parent_path()
                               : fs::path(session.storage);
  if (!fs::is_directory(storage, code)) {
    throw Error(ErrorKind::kNotFound,
                storage.string() + " is no directory: say --storage");
  }
  for (const SessionDisk& disk : session.disks) {
    for (const std::string& path : {disk.overlay, disk.target, disk.bridge}) {
      if (fs::exists(path, code))
        throw Error(ErrorKind::kUsage, path + " is there already");
    }
  }
}

// QEMU's user goes there and need not look around.
void make_own_storage(const Session& session) {
  std::error_code code;
  fs::create_directory(session.storage, code);
  if (code) throw system_error(code.value(), "create " + session.storage);
  fs::permissions(
      session.storage,
      fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec,
      code);
}

std::chrono::milliseconds since(steady_clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      steady_clock::now() - begin);
}

// Empty when there is none; that it cannot be known is an error.
DomainHandle find_machine(Connection& connection, const Session& session) {
  DomainHandle domain(
      virDomainLookupByUUIDString(connection.get(), session.uuid.c_str()));
  if (domain) return domain;
  const Error error = libvirt_failure("find " + session.name);
  if (error.kind() != ErrorKind::kNotFound) throw Error(error);
  return domain;
}

void end_machine(Connection& connection, const Session& session) {
  const DomainHandle domain = find_machine(connection, session);
  if (!domain) return;
  if (virDomainIsActive(domain.get()) == 1 &&
      virDomainDestroy(domain.get()) != 0) {
    throw libvirt_failure("end " + session.name);
  }
  // Gone by itself where it was transient.
  virDomainUndefineFlags(domain.get(),
                         VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA |
                             VIR_DOMAIN_UNDEFINE_KEEP_NVRAM);
}

// One whose boot was cut off early has no machine yet: nothing is lost with it.
// An overlay is never made anew, for the old one may have held writes.
void check_booted(const Session& session) {
  std::error_code code;
  const bool whole =
      std::ranges::all_of(session.disks, [&](const SessionDisk& disk) {
        return disk.place == DiskPlace::kBridge ||
               disk.place == DiskPlace::kFinal ||
               fs::exists(disk.overlay, code);
      });
  if (whole && !session.xml.empty()) return;
  throw Error(ErrorKind::kFailed,
              session.name + " was never complete: `backstitch discard " +
                  session.name + "`, and boot the point again");
}

void remove_all_of(const Session& session) {
  Connection connection(session.uri);
  end_machine(connection, session);
  unmount_tree(session.mount_point);
  std::error_code ignored;
  fs::remove_all(fs::path(session.mount_point).parent_path(), ignored);
  for (const SessionDisk& disk : session.disks) {
    for (const std::string& path : {disk.overlay, disk.target, disk.bridge})
      remove_tree(path);
    sweep_new_files(disk.target);
  }
  for (const std::string& path : session.files) remove_tree(path);
  remove_session(session.name);
}

}  // namespace

BootResult boot_point(const format::Repository& repository,
                      const format::Point& point, const std::string& uri,
                      const BootRequest& request) {
  BootRequest named = request;
  if (named.name.empty()) named.name = point.manifest().domain + "-recovered";
  const SessionLock lock(named.name);
  return boot_point(lock, repository, point, uri, named);
}

BootResult boot_point(const SessionLock&, const format::Repository& repository,
                      const format::Point& point, const std::string& uri,
                      const BootRequest& request) {
  const auto begin = steady_clock::now();
  BootResult result;
  Session& session = result.session;
  session = plan_session(repository, point, uri, request);
  Connection connection(uri);
  check_free(connection, session);
  save_session(session);
  try {
    if (session.throw_away) make_own_storage(session);
    describe_session(session, point, connection, request, result.notes);
    save_session(session);
    check_stop();
    mount_point_of(session, connection);
    check_stop();
    for (const SessionDisk& disk : session.disks)
      create_overlay(disk.overlay, disk.image, "raw");
    check_stop();
    start(connection, session, request.start_paused);
    save_session(session);
  } catch (const Error&) {
    try {
      remove_all_of(session);
    } catch (const Error& error) {
      spdlog::warn("{}; `backstitch discard {}` removes what is left",
                   error.what(), session.name);
    }
    throw;
  }
  result.took = since(begin);
  return result;
}

BootResult resume_session(const std::string& name) {
  const auto begin = steady_clock::now();
  const SessionLock lock(name);
  BootResult result;
  result.session = load_session(name);
  Session& session = result.session;
  refuse_throw_away(session);
  check_booted(session);
  Connection connection(session.uri);
  const bool alive = tree_alive(session.mount_point);
  if (session_state(session) != "off") {
    if (alive || !session.needs_mount()) {
      throw Error(ErrorKind::kBusy, name + " runs; `backstitch finalize " +
                                        name + "` moves it to its storage");
    }
    result.notes.emplace_back(
        "its images were gone: it was ended, and starts again on what it had "
        "written");
    end_machine(connection, session);
  }
  if (session.needs_mount() && !alive) {
    unmount_tree(session.mount_point);
    mount_point_of(session, connection);
  }
  start(connection, session, false);
  save_session(session);
  result.took = since(begin);
  return result;
}

void discard_session(const std::string& name) {
  discard_session(SessionLock(name), name);
}

void discard_session(const SessionLock&, const std::string& name) {
  remove_all_of(load_session(name));
}

std::string session_state(const Session& session) {
  Connection connection(session.uri);
  const DomainHandle domain = find_machine(connection, session);
  int state = VIR_DOMAIN_SHUTOFF;
  if (!domain || virDomainGetState(domain.get(), &state, nullptr, 0) != 0)
    return "off";
  if (state == VIR_DOMAIN_PAUSED) return "paused";
  return state == VIR_DOMAIN_SHUTOFF ? "off" : "running";
}

}  // namespace backstitch::engine
