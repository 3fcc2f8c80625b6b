// GuestView by way of libguestfs: see guest.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/files/guest.h"
#include "src/files/guest_handle.h"
#include "src/files/watch.h"

namespace backstitch::engine {

class Appliance : public GuestView {
 public:
  explicit Appliance(const std::vector<GuestDisk>& disks);

  std::vector<GuestFileSystem> file_systems() override;
  std::vector<std::string> mount(
      const std::vector<GuestMount>& chosen) override;
  GuestFile stat(const std::string& path) override;
  std::string real_path(const std::string& path) override;
  std::vector<GuestFile> list(const std::string& directory) override;
  std::vector<GuestFile> walk(const std::string& directory,
                              bool targets) override;
  void read_file(const std::string& path, const Reader& reader) override;
  void read_tree(const std::string& directory, const Reader& reader) override;
  std::vector<Attribute> attributes(const std::string& path) override;
  std::string checksum(const std::string& path) override;
  void serve(const std::string& directory,
             const std::string& mount_options) override;

 private:
  struct Place {
    std::string device;  // as the appliance calls it
    std::string mount_point;
  };
  // file_systems(), but for where they are mounted.
  std::vector<GuestFileSystem> devices();
  void launch(const std::vector<GuestDisk>& disks);
  // Whether it runs now; false where KVM does not work.
  bool launch_with_kvm(const std::vector<GuestDisk>& disks);
  // Where an operating system has its file systems, "/" first; empty without
  // one. Throws kUsage when there are several.
  std::vector<Place> inspect();
  // The only file system; throws kUsage and kNotFound.
  Place only_file_system();
  std::string shown(const std::string& device) const;
  // Appends those of `names` that are there, all in `below` a directory
  // ("" or "some/where/").
  void stat_all(const std::string& directory, const std::string& below,
                const std::vector<std::string>& names, bool targets,
                std::vector<GuestFile>& files);
  // Of the files from `first` on, which are all in one place.
  void read_targets(const std::string& place, std::vector<GuestFile>& files,
                    size_t first);
  // Runs a call that writes to a file of the host, given by name.
  template <typename Call>
  void stream(const std::string& what, const Reader& reader, Call&& call);

  std::vector<std::string> disks_;
  GuestHandle guest_;
  std::optional<Watch> watch_;  // goes before the handle does
};

}  // namespace backstitch::engine
