#include "src/recovery/define_files.h"

#include <algorithm>
#include <cstdlib>

#include "format/base/error.h"
#include "src/libvirt/domain_xml.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;

constexpr char kTpmPrefix[] = "tpm.";
constexpr uint64_t kMostFile = 64 << 20;

bool has_file(const format::Point& point, const std::string& name) {
  const auto& files = point.manifest().files;
  return std::ranges::find(files, name, &format::SideFile::name) != files.end();
}

// Where libvirt itself keeps such files.
fs::path libvirt_folder(const std::string& uri, const char* system,
                        const char* own) {
  if (uri.find("/session") == std::string::npos) return system;
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  return (config != nullptr
              ? fs::path(config)
              : fs::path(home != nullptr ? home : "/") / ".config") /
         own;
}

class FilePlan {
 public:
  FilePlan(const format::Point& point, const std::string& xml,
           const Identity& identity, const std::string& uri, const Host& host,
           const std::string& directory, std::vector<std::string>& notes)
      : point_(point),
        domain_(parse_domain_xml(xml)),
        identity_(identity),
        uri_(uri),
        host_(host),
        directory_(directory),
        notes_(notes) {}

  std::vector<PlannedFile> make() {
    add_variables();
    add_unless_there("loader", "loader.fd", domain_.loader, "_CODE.fd");
    add_unless_there("kernel", "kernel", domain_.kernel, "-kernel");
    add_unless_there("initrd", "initrd", domain_.initrd, "-initrd");
    if (domain_.has_tpm) add_tpm();
    for (const DomainDisk& disk : domain_.disks) add_medium(disk);
    return std::move(files_);
  }

 private:
  // Its own place where that is its own still, and libvirt's otherwise.
  void add_variables() {
    if (!has_file(point_, "nvram.fd")) {
      const bool there =
          !domain_.nvram.empty() && there_at(host_, domain_.nvram);
      if ((!domain_.nvram.empty() || domain_.chosen_efi) && !there)
        notes_.emplace_back("its UEFI variables are new: the point has none");
      return;
    }
    const fs::path before = domain_.nvram;
    const bool own = !identity_.twin && !identity_.renamed && !before.empty() &&
                     there_at(host_, before.parent_path());
    const fs::path folder = libvirt_folder(uri_, "/var/lib/libvirt/qemu/nvram",
                                           "libvirt/qemu/nvram");
    add("nvram.fd", own ? before : folder / (identity_.name + "_VARS.fd"),
        "nvram");
  }

  void add_unless_there(const std::string& element, const std::string& name,
                        const std::string& path, const char* suffix) {
    if (path.empty() || there_at(host_, path)) return;
    if (has_file(point_, name)) {
      add(name, beside(identity_.name + suffix), element);
      notes_.push_back(path + " is not there: the point's is used");
    } else {
      notes_.push_back(path + " is not there, and not in the point");
    }
  }

  void add_tpm() {
    const fs::path home =
        libvirt_folder(uri_, "/var/lib/libvirt/swtpm", "libvirt/qemu/swtpm") /
        identity_.uuid;
    bool any = false;
    for (const format::SideFile& file : point_.manifest().files) {
      if (!file.name.starts_with(kTpmPrefix)) continue;
      const std::string name = file.name.substr(sizeof kTpmPrefix - 1);
      // swtpm's directories: tpm2/ for version 2, tpm1.2/ before.
      const char* version = name.starts_with("tpm2") ? "tpm2" : "tpm1.2";
      add(file.name, home / version / name, "");
      any = true;
    }
    if (!any)
      notes_.emplace_back(
          "the TPM's state is not in the point: it is a new one");
  }

  void add_medium(const DomainDisk& disk) {
    if (disk.device != "cdrom" || disk.path.empty() ||
        there_at(host_, disk.path) || !has_file(point_, disk.target + ".iso")) {
      return;
    }
    const bool own = !identity_.twin && !identity_.renamed;
    add(disk.target + ".iso",
        beside(own ? fs::path(disk.path).filename().string()
                   : identity_.name + "-" + disk.target + ".iso"),
        "", disk.target);
  }

  fs::path beside(const std::string& name) const {
    return fs::path(directory_) / name;
  }

  void add(const std::string& name, const fs::path& path,
           const std::string& element, const std::string& target = "") {
    files_.push_back({name, path, element, target});
  }

  const format::Point& point_;
  const DomainXml domain_;
  const Identity& identity_;
  const std::string& uri_;
  const Host& host_;
  const std::string& directory_;
  std::vector<std::string>& notes_;
  std::vector<PlannedFile> files_;
};

}  // namespace

bool there_at(const Host& host, const std::string& path) {
  try {
    return exists_at(host, path);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kUnsupported) throw;
    return true;
  }
}

std::vector<PlannedFile> plan_files(const format::Point& point,
                                    const std::string& xml,
                                    const Identity& identity,
                                    const std::string& uri, const Host& host,
                                    const std::string& directory,
                                    std::vector<std::string>& notes) {
  return FilePlan(point, xml, identity, uri, host, directory, notes).make();
}

void refuse_files(const std::vector<PlannedFile>& files, const Host& host) {
  for (const PlannedFile& file : files) {
    if (!exists_at(host, file.path)) continue;
    throw Error(ErrorKind::kUsage,
                file.path + " exists; --force overwrites it");
  }
}

void write_files(const format::Point& point,
                 const std::vector<PlannedFile>& files, const Host& host,
                 Undo& undo) {
  for (const PlannedFile& file : files) {
    const std::string path = file.path;
    if (exists_at(host, path)) {
      const std::string before = host.read_file(path, kMostFile);
      undo.add([&host, path, before] { write_file_at(host, path, before); });
    } else {
      undo.add([&host, path] { remove_file_at(host, path); });
    }
    write_file_at(host, path, point.side_file(file.name));
  }
}

}  // namespace backstitch::engine
