#include "src/recovery/define.h"

#include <libvirt/virterror.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "src/base/stop.h"
#include "src/libvirt/domain_xml.h"
#include "src/libvirt/machines.h"
#include "src/recovery/adjust.h"
#include "src/recovery/boot_xml.h"
#include "src/recovery/define_disks.h"
#include "src/recovery/define_files.h"
#include "src/recovery/define_plan.h"
#include "src/recovery/define_xml.h"
#include "src/recovery/machine_files.h"
#include "src/recovery/session.h"
#include "src/recovery/throttled_image.h"
#include "src/recovery/undo.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;

bool had_autostart(const format::Point& point) {
  const auto& files = point.manifest().files;
  if (std::ranges::find(files, "machine.json", &format::SideFile::name) ==
      files.end()) {
    return false;
  }
  const auto machine =
      nlohmann::json::parse(point.side_file("machine.json"), nullptr, false);
  return machine.is_object() && machine.value("autostart", false);
}

// Whether something of the old machine would outlive a new definition, and be
// about disks that are not there any more.
bool has_past(virDomainPtr domain) {
  return virDomainHasManagedSaveImage(domain, 0) == 1 ||
         virDomainSnapshotNum(domain, 0) > 0 ||
         virDomainListAllCheckpoints(domain, nullptr, 0) > 0;
}

// A definition that is to be replaced, with all that libvirt knows beside it;
// `undo` brings the definition back.
void undefine(Connection& connection, const KnownMachine& machine,
              const Identity& identity, Undo& undo,
              std::vector<std::string>& notes) {
  const DomainHandle domain(
      virDomainLookupByUUIDString(connection.get(), machine.uuid.c_str()));
  if (!domain) return;
  if (virDomainIsActive(domain.get()) == 1) {
    throw Error(ErrorKind::kBusy,
                "the machine " + machine.name + " was started meanwhile");
  }
  if (machine.uuid == identity.uuid && machine.name == identity.name &&
      !has_past(domain.get())) {
    return;  // it is replaced at once
  }
  const std::string xml =
      take_text(virDomainGetXMLDesc(domain.get(), VIR_DOMAIN_XML_INACTIVE |
                                                      VIR_DOMAIN_XML_SECURE),
                "get the description of " + machine.name);
  if (virDomainHasManagedSaveImage(domain.get(), 0) == 1)
    notes.emplace_back("the saved state of the machine before is gone");
  int starts_with_host = 0;
  if (virDomainGetAutostart(domain.get(), &starts_with_host) != 0)
    throw libvirt_failure("look whether " + machine.name + " starts by itself");
  unsigned flags = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
                   VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                   VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA |
                   VIR_DOMAIN_UNDEFINE_KEEP_NVRAM;
  // Only newer daemons know that flag, and the TPM's state would go.
  if (parse_domain_xml(xml).has_tpm) flags |= VIR_DOMAIN_UNDEFINE_KEEP_TPM;
  if (virDomainUndefineFlags(domain.get(), flags) != 0)
    throw libvirt_failure("replace the definition of " + machine.name);
  undo.add([&connection, xml, starts_with_host] {
    const DomainHandle back(virDomainDefineXML(connection.get(), xml.c_str()));
    if (!back || virDomainSetAutostart(back.get(), starts_with_host) != 0)
      throw libvirt_failure("define what was there again");
  });
}

class Define {
 public:
  Define(const format::Point& point, const std::string& uri,
         const DefineRequest& request, Progress& progress)
      : point_(point),
        request_(request),
        progress_(progress),
        connection_(uri),
        host_(host_of(uri)) {}

  DefineResult run() {
    plan();
    const SessionLock lock(identity_.name);
    check();
    if (request_.dry_run) return result(false);
    Undo undo;
    make_directory(undo);
    write_disks(undo);
    check_stop();
    write_files(point_, files_, *host_, undo);
    if (pool_) pool_->refresh();
    check_stop();
    define(undo);
    undo.keep();
    return result(autostart());
  }

 private:
  const format::Manifest& manifest() const { return point_.manifest(); }

  // --- What is to be ---

  void plan() {
    xml_ = domain_description(point_);
    // Without a description of its own it is a machine of this host.
    if (parse_domain_xml(xml_).name.empty() && !has_kvm(connection_))
      xml_ = emulated(xml_);
    known_ = known_machines(connection_);
    identity_ = choose_identity(manifest(), xml_, request_, known_);
    find_storage();
    disks_ = place_disks(manifest(), request_, identity_,
                         pool_ ? &*pool_ : nullptr, notes_);
    files_ = plan_files(point_, xml_, identity_, connection_.uri(), *host_,
                        folder_of_files(), notes_);
    const auto caches = std::make_shared<format::Caches>();
    for (const PlacedDisk& disk : disks_)
      images_.push_back(point_.image(disk.disk->name, caches));
  }

  // On another host there are only pools: the directory may be one's.
  void find_storage() {
    if (!host_->local() && !request_.places.empty()) {
      throw Error(ErrorKind::kUnsupported,
                  "--to is for this host's files and devices; at " +
                      connection_.uri() + " disks go to a --pool");
    }
    if (!request_.pool.empty()) {
      pool_.emplace(connection_, request_.pool);
      return;
    }
    if (host_->local()) {
      std::error_code code;
      if (!request_.directory.empty() && !request_.directory.ends_with('/') &&
          !fs::is_directory(request_.directory, code)) {
        throw Error(ErrorKind::kNotFound, request_.directory +
                                              " is no directory; with a slash "
                                              "at its end it is made");
      }
      return;
    }
    pool_ = StoragePool::at_directory(connection_, request_.directory);
    if (pool_) return;
    throw Error(
        ErrorKind::kUnsupported,
        "at " + connection_.uri() + " no storage pool is in " +
            request_.directory + ": say --pool, or make one with `virsh -c '" +
            connection_.uri() + "' pool-create-as backstitch dir --target " +
            request_.directory + "`");
  }

  std::string folder_of_files() const {
    if (pool_ && pool_->holds_files()) return pool_->directory();
    if (!request_.directory.empty()) return fs::absolute(request_.directory);
    for (const PlacedDisk& disk : disks_) {
      if (disk.kind == PlacedDisk::Kind::kFile)
        return fs::path(disk.path).parent_path();
    }
    return "/var/lib/libvirt/images";
  }

  std::string description(std::vector<std::string>& notes) {
    RestoredMachine machine;
    machine.name = identity_.name;
    machine.uuid = identity_.uuid;
    machine.twin = identity_.twin;
    machine.adjust = request_.adjust;
    for (const PlacedDisk& disk : disks_) {
      const bool device =
          disk.kind == PlacedDisk::Kind::kDevice ||
          (disk.kind == PlacedDisk::Kind::kVolume && !pool_->holds_files());
      machine.disks[disk.disk->name] = {disk.path, disk.format_name(), device};
    }
    for (const PlannedFile& file : files_) {
      if (!file.element.empty()) machine.files[file.element] = file.path;
      if (!file.target.empty()) machine.media[file.target] = file.path;
    }
    const std::string restored = restored_description(
        xml_, machine,
        [this](const std::string& path) { return there_at(*host_, path); },
        notes);
    if (!request_.adjust) return restored;
    return adjust_description(restored, connection_, *host_, notes);
  }

  // --- Whether it can be ---

  void check() {
    refuse_others_disks(disks_, identity_, known_);
    std::vector<uint64_t> bytes;
    bytes.reserve(images_.size());
    for (const auto& image : images_) bytes.push_back(image->data_bytes());
    check_room(disks_, bytes, *host_, pool_ ? &*pool_ : nullptr,
               request_.overwrite);
    check_files();
    try {
      const std::string words =
          check_description(connection_, description(notes_));
      if (!words.empty()) notes_.push_back("it may not start: " + words);
    } catch (const Error& error) {
      if (request_.adjust) throw;
      throw Error(error.kind(), std::string(error.what()) +
                                    "; --adjust leaves out or changes what is "
                                    "not there");
    }
  }

  void check_files() {
    if (files_.empty()) return;
    try {
      if (request_.overwrite) {
        exists_at(*host_, files_.front().path);
      } else {
        refuse_files(files_, *host_);
      }
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kUnsupported) throw;
      throw add_context(error, files_.front().name + " of the point");
    }
  }

  // --- Making it ---

  void make_directory(Undo& undo) {
    std::error_code code;
    if (request_.directory.empty() || pool_ ||
        fs::is_directory(request_.directory, code)) {
      return;
    }
    const fs::path path =
        fs::absolute(request_.directory).lexically_normal().parent_path();
    fs::create_directories(path, code);
    if (code)
      throw system_error(code.value(), "create directory " + path.string());
    undo.add([path] {
      std::error_code ignored;
      fs::remove(path, ignored);
    });
  }

  void write_disks(Undo& undo) {
    NewDisks made(connection_, *host_, pool_ ? &*pool_ : nullptr, request_,
                  undo, progress_);
    for (size_t i = 0; i < disks_.size(); ++i) {
      check_stop();
      if (request_.bandwidth == 0) {
        disks_[i].path = made.write(disks_[i], *images_[i]);
      } else {
        const ThrottledImage slow(*images_[i], request_.bandwidth);
        disks_[i].path = made.write(disks_[i], slow);
      }
    }
    check_stop();
    made.publish();
  }

  void define(Undo& undo) {
    std::vector<std::string> said;
    const std::string xml = description(said);
    for (const KnownMachine& machine : identity_.replaced)
      undefine(connection_, machine, identity_, undo, notes_);
    domain_.reset(virDomainDefineXML(connection_.get(), xml.c_str()));
    if (!domain_) throw libvirt_failure("define " + identity_.name);
  }

  // The machine is there: what fails now is no failure of the restore.
  bool autostart() {
    if (!had_autostart(point_)) return false;
    if (identity_.twin) {
      notes_.emplace_back("it does not start with the host: its original may");
      return false;
    }
    if (virDomainSetAutostart(domain_.get(), 1) == 0) return true;
    notes_.emplace_back(
        libvirt_failure("let it start with the host, as it did").what());
    return false;
  }

  DefineResult result(bool autostart) {
    DefineResult result;
    result.name = identity_.name;
    result.uuid = identity_.uuid;
    result.new_identity = identity_.twin;
    result.autostart = autostart;
    for (const PlacedDisk& disk : disks_) {
      result.disks.push_back({disk.disk->name, disk.path, disk.format_name(),
                              disk.disk->size_bytes});
    }
    for (const PlannedFile& file : files_) result.files.push_back(file.path);
    result.notes = std::move(notes_);
    return result;
  }

  const format::Point& point_;
  const DefineRequest& request_;
  Progress& progress_;
  Connection connection_;
  const std::unique_ptr<Host> host_;
  std::string xml_;
  std::vector<KnownMachine> known_;
  Identity identity_;
  std::optional<StoragePool> pool_;
  std::vector<PlacedDisk> disks_;
  std::vector<PlannedFile> files_;
  std::vector<std::shared_ptr<const format::DiskImage>> images_;
  std::vector<std::string> notes_;
  DomainHandle domain_;
};

}  // namespace

DefineResult define_point(const format::Point& point, const std::string& uri,
                          const DefineRequest& request, Progress& progress) {
  return Define(point, uri, request, progress).run();
}

}  // namespace backstitch::engine
