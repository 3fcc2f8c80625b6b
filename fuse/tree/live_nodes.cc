// The upper part of the tree, which changes as points come and go.
#include "format/base/error.h"
#include "format/repository/names.h"
#include "fuse/tree/attributes.h"

namespace backstitch::mount {
namespace {

constexpr const char* kLatest = "latest";

class Latest : public Node {
 public:
  Latest(const TreeContext& context, std::string domain)
      : context_(context), domain_(std::move(domain)) {}

  struct stat attributes() const override {
    return symbolic_link(context_, context_.catalog->directory(domain_),
                         link_target());
  }
  bool is_same(const Node& other) const override {
    return dynamic_cast<const Latest*>(&other) != nullptr;
  }
  std::string link_target() const override {
    const uint32_t number = context_.catalog->latest(domain_);
    if (number == 0) {
      throw Error(ErrorKind::kNotFound,
                  format::printable(domain_) + ": has no points");
    }
    return format::point_name(number);
  }

 private:
  const TreeContext& context_;
  const std::string domain_;
};

class DomainNode : public Node {
 public:
  DomainNode(const TreeContext& context, std::string name)
      : context_(context), name_(std::move(name)) {}

  struct stat attributes() const override {
    return live_directory(context_, context_.catalog->directory(name_));
  }
  bool is_same(const Node& other) const override {
    return dynamic_cast<const DomainNode*>(&other) != nullptr;
  }

  NodePointer child(const std::string& name,
                    const NodePointer& known) const override {
    if (name == kLatest) return make_latest(context_, name_);
    const uint32_t number = format::point_number(name);
    if (number == 0) {
      throw Error(ErrorKind::kNotFound,
                  format::printable(name_ + "/" + name) + ": no such point");
    }
    const DirectoryPointer before = directory_of(known);
    DirectoryPointer point = context_.catalog->point(name_, number, before);
    return point == before ? known : make_point(context_, std::move(point));
  }

  std::vector<DirectoryEntry> list() const override {
    std::vector<DirectoryEntry> entries;
    for (const uint32_t number : context_.catalog->points(name_))
      entries.push_back({format::point_name(number), S_IFDIR, nullptr});
    if (!entries.empty()) entries.push_back({kLatest, S_IFLNK, nullptr});
    return entries;
  }

 private:
  const TreeContext& context_;
  const std::string name_;
};

class Root : public Node {
 public:
  explicit Root(const TreeContext& context) : context_(context) {}

  struct stat attributes() const override {
    return live_directory(context_, context_.catalog->repository());
  }
  bool is_same(const Node& /*other*/) const override { return true; }

  NodePointer child(const std::string& name,
                    const NodePointer& known) const override {
    context_.catalog->directory(name);
    return known ? known : make_domain(context_, name);
  }

  std::vector<DirectoryEntry> list() const override {
    std::vector<DirectoryEntry> entries;
    for (const std::string& name : context_.catalog->domains())
      entries.push_back({name, S_IFDIR, nullptr});
    return entries;
  }

 private:
  const TreeContext& context_;
};

}  // namespace

NodePointer make_root(const TreeContext& context) {
  return std::make_shared<Root>(context);
}

NodePointer make_domain(const TreeContext& context, std::string name) {
  return std::make_shared<DomainNode>(context, std::move(name));
}

NodePointer make_latest(const TreeContext& context, std::string domain) {
  return std::make_shared<Latest>(context, std::move(domain));
}

}  // namespace backstitch::mount
