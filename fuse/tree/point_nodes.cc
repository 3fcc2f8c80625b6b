// The lower part of the tree, which never changes: a point and its files.
#include "format/base/error.h"
#include "format/repository/names.h"
#include "fuse/tree/attributes.h"

namespace backstitch::mount {
namespace {

class FileNode : public Node {
 public:
  FileNode(const TreeContext& context, DirectoryPointer point, FilePointer file)
      : context_(context), point_(std::move(point)), file_(std::move(file)) {}

  struct stat attributes() const override {
    return attributes_with(point_->data_bytes(*file_));
  }
  struct stat quick_attributes(bool& exact) const override {
    exact = file_->data_bytes != FileEntry::kUncounted;
    return attributes_with(point_->data_bytes_at_most(*file_));
  }
  bool is_constant() const override { return !is_writable(); }
  bool is_same(const Node& other) const override {
    const auto* file = dynamic_cast<const FileNode*>(&other);
    return file != nullptr && file->point_->id() == point_->id() &&
           file->file_->kind == file_->kind;
  }
  OpenedImage open() const override {
    HeldPointer held = point_->hold();
    ImagePointer image = held->image(*file_);
    WritablePointer writable = held->writable(*file_);
    return {std::move(image), std::move(held), std::move(writable),
            file_->offset};
  }

 private:
  bool is_writable() const {
    return context_.overlays != nullptr &&
           file_->kind != FileEntry::Kind::kSideFile;
  }

  struct stat attributes_with(uint64_t data_bytes) const {
    if (!is_writable())
      return frozen_file(context_, point_->time(), file_->length, data_bytes);
    return written_file(
        frozen_file(context_, point_->time(), file_->length, data_bytes),
        context_,
        context_.overlays->written(point_->id(), file_->source).get());
  }

  const TreeContext& context_;
  const DirectoryPointer point_;
  const FilePointer file_;
};

class PointNode : public Node {
 public:
  PointNode(const TreeContext& context, DirectoryPointer point)
      : context_(context), point_(std::move(point)) {}

  const DirectoryPointer& directory() const { return point_; }

  struct stat attributes() const override {
    return frozen_directory(context_, point_->time());
  }
  bool is_same(const Node& other) const override {
    const auto* point = dynamic_cast<const PointNode*>(&other);
    return point != nullptr && point->point_->id() == point_->id();
  }

  NodePointer child(const std::string& name,
                    const NodePointer& known) const override {
    if (known) return known;
    if (FilePointer file = point_->file(name))
      return make_file(context_, point_, std::move(file));
    throw Error(
        ErrorKind::kNotFound,
        point_->label() + "/" + format::printable(name) + ": no such file");
  }

  std::vector<DirectoryEntry> list() const override {
    std::vector<DirectoryEntry> entries;
    for (const FilePointer& file : point_->files()) {
      entries.push_back(
          {file->name, S_IFREG, make_file(context_, point_, file)});
    }
    return entries;
  }

 private:
  const TreeContext& context_;
  const DirectoryPointer point_;
};

}  // namespace

NodePointer make_point(const TreeContext& context, DirectoryPointer point) {
  return std::make_shared<PointNode>(context, std::move(point));
}

NodePointer make_file(const TreeContext& context, DirectoryPointer point,
                      FilePointer file) {
  return std::make_shared<FileNode>(context, std::move(point), std::move(file));
}

DirectoryPointer directory_of(const NodePointer& node) {
  const auto* point = dynamic_cast<const PointNode*>(node.get());
  return point != nullptr ? point->directory() : nullptr;
}

}  // namespace backstitch::mount
