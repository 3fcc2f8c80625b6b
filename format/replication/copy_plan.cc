#include "format/replication/copy_plan.h"

#include <map>

#include "format/base/error.h"
#include "format/replication/stored_point.h"
#include "format/repository/names.h"

namespace backstitch::format {
namespace {

class Planner {
 public:
  Planner(const Domain& source, const Domain* target,
          const std::set<uint32_t>& wanted)
      : source_(source), target_(target), wanted_(wanted) {}

  CopyPlan plan() {
    look_at_target();
    for (const uint32_t number : wanted_) {
      if (there_.contains(number)) {
        plan_.present += 1;
      } else {
        add(number, 0);
        add_ancestors(number);
      }
    }
    for (const auto& [number, needed_by] : chosen_) {
      plan_.points.push_back(
          {number, needed_by, stored(number)->manifest.stored_bytes()});
    }
    return std::move(plan_);
  }

 private:
  void look_at_target() {
    if (target_ == nullptr) return;
    for (const uint32_t number : stored_numbers(*target_)) {
      const auto theirs = read_stored(*target_, number);
      if (!theirs) {
        throw Error(ErrorKind::kDamaged,
                    printable(target_->name()) + "/" + point_name(number) +
                        ": has no manifest; backstitch repair may bring it "
                        "back");
      }
      if (theirs->live()) there_.insert(number);
      const auto ours = stored_if_readable(number);
      if (ours == nullptr || ours->text == theirs->text) continue;
      throw Error(ErrorKind::kUsage,
                  printable(target_->name()) + ": point " +
                      std::to_string(number) +
                      " is another one there than here; copy under another "
                      "name with --as");
    }
  }

  // A point's maps reach what those before it reached, so all that it needs is
  // in the points that it was built on, directly or not.
  void add_ancestors(uint32_t descendant) {
    const Manifest* point = &stored(descendant)->manifest;
    while (point->parent != 0 && !there_.contains(point->parent)) {
      const StoredManifest* parent = stored(point->parent);
      if (parent == nullptr)
        return add_chain(point->chain, point->parent, descendant);
      if (parent->live()) add(point->parent, descendant);
      point = &parent->manifest;
    }
  }

  // A point in between is gone without a trace, and with it the number of the
  // one that it was built on.
  void add_chain(uint32_t chain, uint32_t before, uint32_t descendant) {
    for (const uint32_t number : source_.points()) {
      if (number < chain || number >= before || there_.contains(number))
        continue;
      if (stored(number)->manifest.chain == chain) add(number, descendant);
    }
  }

  void add(uint32_t number, uint32_t needed_by) {
    if (wanted_.contains(number)) needed_by = 0;
    chosen_.emplace(number, needed_by);
  }

  // Null where nothing is left of it.
  const StoredManifest* stored(uint32_t number) {
    const auto [found, is_new] = ours_.try_emplace(number);
    if (is_new) found->second = read_stored(source_, number);
    if (found->second) return &*found->second;
    if (!wanted_.contains(number)) return nullptr;
    throw Error(
        ErrorKind::kNotFound,
        printable(source_.name()) + " has no point " + std::to_string(number));
  }

  // Damage of a point that nobody copies is for verify to report.
  const StoredManifest* stored_if_readable(uint32_t number) {
    try {
      return stored(number);
    } catch (const Error& error) {
      if (wanted_.contains(number)) throw;
      ours_.erase(number);
      return nullptr;
    }
  }

  const Domain& source_;
  const Domain* const target_;
  const std::set<uint32_t>& wanted_;
  std::set<uint32_t> there_;  // points of the target
  std::map<uint32_t, std::optional<StoredManifest>> ours_;
  std::map<uint32_t, uint32_t> chosen_;  // to what needs it
  CopyPlan plan_;
};

}  // namespace

CopyPlan plan_copy(const Domain& source, const Domain* target,
                   const std::set<uint32_t>& wanted) {
  return Planner(source, target, wanted).plan();
}

}  // namespace backstitch::format
