#include "src/recovery/session_plan.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "format/repository/names.h"
#include "src/base/state.h"
#include "src/recovery/machine_files.h"
#include "src/recovery/trial_xml.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;

// libvirt's own default pool, of the system and of a user.
fs::path default_storage() {
  if (::geteuid() == 0) return "/var/lib/libvirt/images";
  const char* data = std::getenv("XDG_DATA_HOME");
  const char* home = std::getenv("HOME");
  const fs::path base =
      data != nullptr ? fs::path(data)
                      : fs::path(home != nullptr ? home : "/") / ".local/share";
  return base / "libvirt/images";
}

fs::path runtime_directory() {
  if (::geteuid() == 0) return "/run/backstitch";
  const char* own = std::getenv("XDG_RUNTIME_DIR");
  if (own != nullptr) return fs::path(own) / "backstitch";
  return state_directory() / "run";
}

void add_disks(Session& session, const format::Manifest& manifest,
               const BootRequest& request) {
  const fs::path tree = fs::path(session.mount_point) / session.domain /
                        format::point_name(session.point);
  for (const format::DiskManifest& disk : manifest.disks) {
    const auto known = disk.source.find("format");
    std::string format = request.format;
    if (format.empty() && known != disk.source.end()) format = known->second;
    if (format != "raw") format = "qcow2";
    const fs::path stem =
        fs::path(session.storage) / (session.name + "-" + disk.name);
    session.disks.push_back({.name = disk.name,
                             .place = DiskPlace::kOverlay,
                             .image = tree / (disk.name + ".raw"),
                             .overlay = stem.string() + ".overlay.qcow2",
                             .target = stem.string() + "." + format,
                             .bridge = stem.string() + ".bridge.qcow2",
                             .format = format});
  }
}

}  // namespace

Session plan_session(const format::Repository& repository,
                     const format::Point& point, const std::string& uri,
                     const BootRequest& request) {
  const format::Manifest& manifest = point.manifest();
  Session session;
  session.name = request.name;
  format::check_domain_name(session.name);
  session.uuid = new_uuid();
  session.uri = uri;
  session.repository = fs::absolute(repository.path());
  session.domain = manifest.domain;
  session.point = manifest.point;
  session.storage = fs::absolute(
      request.storage.empty() ? default_storage() : fs::path(request.storage));
  session.throw_away = request.throw_away;
  if (session.throw_away) {
    session.storage = fs::path(session.storage) / session.name;
    session.files.push_back(session.storage);
  }
  const fs::path own = runtime_directory() / session.name;
  session.mount_point = own / "tree";
  session.started = format::now();
  add_disks(session, manifest, request);
  return session;
}

void describe_session(Session& session, const format::Point& point,
                      Connection& connection, const BootRequest& request,
                      std::vector<std::string>& notes) {
  BootMachine machine;
  machine.name = session.name;
  machine.uuid = session.uuid;
  machine.network = request.network;
  machine.memory_bytes = request.memory_bytes;
  machine.cpus = request.cpus;
  for (const SessionDisk& disk : session.disks)
    machine.disks[disk.name] = {disk.target, disk.format};
  const std::string xml = domain_description(point);
  machine.emulate = !has_kvm(connection);
  machine.files = write_machine_files(point, xml, session, notes);
  session.xml = adapt_description(xml, machine, notes);
  if (session.throw_away)
    session.xml = trial_description(session.xml, session.storage);
}

}  // namespace backstitch::engine
