#include "src/libvirt/storage_pool.h"

#include <fcntl.h>
#include <libvirt/virterror.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <pugixml.hpp>
#include <set>
#include <sstream>

#include "format/base/file.h"
#include "src/base/stop.h"

namespace backstitch::engine {
namespace {

constexpr uint64_t kPieceBytes = 1 << 20;

// virStream of an upload; what is not finished is aborted.
class Upload {
 public:
  Upload(Connection& connection, virStorageVolPtr volume, uint64_t length)
      : stream_(virStreamNew(connection.get(), 0)) {
    if (!stream_ ||
        virStorageVolUpload(volume, stream_.get(), 0, length,
                            VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM) != 0) {
      throw libvirt_failure("begin the upload");
    }
  }
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;
  ~Upload() {
    if (!finished_) virStreamAbort(stream_.get());
  }

  void send(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const int sent = virStreamSend(
          stream_.get(), reinterpret_cast<const char*>(bytes.data()),
          bytes.size());
      if (sent < 0) throw libvirt_failure("upload");
      bytes = bytes.subspan(static_cast<size_t>(sent));
    }
  }
  void skip(uint64_t length) {
    if (virStreamSendHole(stream_.get(), static_cast<long long>(length), 0) !=
        0)
      throw libvirt_failure("upload");
  }
  void finish() {
    finished_ = true;
    if (virStreamFinish(stream_.get()) != 0)
      throw libvirt_failure("finish the upload");
  }

 private:
  LibvirtHandle<virStream, virStreamFree> stream_;
  bool finished_ = false;
};

class FileImage : public format::DiskImage {
 public:
  explicit FileImage(const std::string& path)
      : file_(File::open(path, O_RDONLY)), size_(file_.size()) {}

  uint64_t size() const override { return size_; }
  void read_at(uint64_t offset, std::span<std::byte> out) const override {
    file_.read_at(offset, out);
  }
  uint64_t next_data(uint64_t offset) const override {
    return seek(offset, SEEK_DATA);
  }
  uint64_t next_hole(uint64_t offset) const override {
    return seek(offset, SEEK_HOLE);
  }
  uint64_t data_bytes() const override {
    uint64_t bytes = 0;
    for (uint64_t at = next_data(0); at < size_;) {
      const uint64_t end = next_hole(at);
      bytes += end - at;
      at = end < size_ ? next_data(end) : size_;
    }
    return bytes;
  }

 private:
  uint64_t seek(uint64_t offset, int what) const {
    const off_t found = ::lseek(file_.fd(), static_cast<off_t>(offset), what);
    if (found >= 0) return std::min(static_cast<uint64_t>(found), size_);
    if (errno == ENXIO) return size_;
    throw system_error(errno, "look for data in " + file_.path().string());
  }

  const File file_;
  const uint64_t size_;
};

std::string volume_xml(const std::string& name, uint64_t size_bytes,
                       bool is_file) {
  pugi::xml_document document;
  pugi::xml_node volume = document.append_child("volume");
  volume.append_child("name").text() = name.c_str();
  volume.append_child("capacity").text() =
      static_cast<unsigned long long>(size_bytes);
  if (is_file) {
    volume.append_child("allocation").text() = 0;
    volume.append_child("target").append_child("format").append_attribute(
        "type") = "raw";
  }
  std::ostringstream text;
  document.save(text);
  return text.str();
}

PoolHandle look_up(Connection& connection, const std::string& name) {
  PoolHandle pool(virStoragePoolLookupByName(connection.get(), name.c_str()));
  if (pool) return pool;
  const virErrorPtr last = virGetLastError();
  if (last == nullptr || last->code != VIR_ERR_NO_STORAGE_POOL)
    throw libvirt_failure("find the pool " + name);
  throw Error(ErrorKind::kNotFound, "there is no storage pool " + name +
                                        " at " + connection.uri() +
                                        "; see `virsh pool-list --all`");
}

}  // namespace

StoragePool::StoragePool(Connection& connection, const std::string& name)
    : StoragePool(connection, look_up(connection, name)) {}

StoragePool::StoragePool(Connection& connection, PoolHandle pool)
    : connection_(&connection),
      pool_(std::move(pool)),
      name_(virStoragePoolGetName(pool_.get())) {
  if (virStoragePoolIsActive(pool_.get()) != 1) {
    throw Error(ErrorKind::kFailed, "the storage pool " + name_ +
                                        " is not active: `virsh pool-start " +
                                        name_ + "`");
  }
  const std::string text =
      take_text(virStoragePoolGetXMLDesc(pool_.get(), 0),
                "get the description of the pool " + name_);
  pugi::xml_document document;
  document.load_buffer(text.data(), text.size());
  const pugi::xml_node description = document.child("pool");
  const std::string kind = description.attribute("type").as_string();
  directory_ = description.child("target").child_value("path");
  holds_files_ = kind == "dir" || kind == "fs" || kind == "netfs";
  static const std::set<std::string> blocks = {"logical", "disk", "zfs",
                                               "iscsi",   "scsi", "mpath"};
  if (holds_files_ || blocks.contains(kind)) return;
  throw Error(ErrorKind::kUnsupported,
              "the storage pool " + name_ + " is of type " + kind +
                  ", whose volumes are no files and no block devices");
}

std::optional<StoragePool> StoragePool::at_directory(
    Connection& connection, const std::string& directory) {
  PoolHandle pool(
      virStoragePoolLookupByTargetPath(connection.get(), directory.c_str()));
  if (!pool) return std::nullopt;
  return StoragePool(connection, std::move(pool));
}

uint64_t StoragePool::free_bytes() const {
  virStoragePoolInfo info{};
  if (virStoragePoolGetInfo(pool_.get(), &info) != 0)
    throw libvirt_failure("learn how much is free in the pool " + name_);
  return info.available;
}

VolumeHandle StoragePool::find(const std::string& volume) const {
  return VolumeHandle(virStorageVolLookupByName(pool_.get(), volume.c_str()));
}

VolumeHandle StoragePool::need(const std::string& volume) const {
  VolumeHandle found = find(volume);
  if (!found) throw libvirt_failure("find the volume " + volume);
  return found;
}

std::string StoragePool::path_of(const std::string& volume) const {
  const VolumeHandle found = find(volume);
  if (!found) return {};
  return take_text(virStorageVolGetPath(found.get()),
                   "learn the path of the volume " + volume);
}

std::string StoragePool::create(const std::string& volume,
                                uint64_t size_bytes) const {
  const std::string xml = volume_xml(volume, size_bytes, holds_files_);
  const VolumeHandle made(virStorageVolCreateXML(pool_.get(), xml.c_str(), 0));
  if (!made) {
    throw libvirt_failure("create the volume " + volume + " in the pool " +
                          name_);
  }
  return take_text(virStorageVolGetPath(made.get()),
                   "learn the path of the volume " + volume);
}

void StoragePool::remove(const std::string& volume) const {
  const VolumeHandle found = find(volume);
  if (found && virStorageVolDelete(found.get(), 0) != 0)
    throw libvirt_failure("remove the volume " + volume);
}

void StoragePool::upload(const std::string& volume,
                         const format::DiskImage& image,
                         Progress& progress) const {
  const VolumeHandle target = need(volume);
  const uint64_t size = image.size();
  Upload stream(*connection_, target.get(), size);
  Bytes buffer(kPieceBytes);
  for (uint64_t at = 0; at < size;) {
    const uint64_t data = std::min(image.next_data(at), size);
    if (data > at) stream.skip(data - at);
    at = data;
    const uint64_t end = at < size ? image.next_hole(at) : size;
    while (at < end) {
      check_stop();
      const uint64_t length =
          std::min(end - at, kPieceBytes - at % kPieceBytes);
      const auto piece = std::span(buffer).first(length);
      image.read_at(at, piece);
      stream.send(piece);
      progress.advance(length);
      at += length;
    }
  }
  stream.finish();
}

void StoragePool::refresh() const {
  if (virStoragePoolRefresh(pool_.get(), 0) != 0)
    spdlog::debug("{}", libvirt_failure("refresh the pool " + name_).what());
}

std::unique_ptr<format::DiskImage> file_image(const std::string& path) {
  return std::make_unique<FileImage>(path);
}

}  // namespace backstitch::engine
