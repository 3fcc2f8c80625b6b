#include "format/replication/repair.h"

#include <algorithm>

#include "format/base/error.h"
#include "format/replication/repair_files.h"
#include "format/replication/repair_refs.h"
#include "format/repository/names.h"

namespace backstitch::format {

namespace {

class Repair {
 public:
  Repair(const Domain& domain, const std::vector<uint32_t>& points,
         const RepairSources& sources, const RepairOptions& options)
      : domain_(domain),
        points_(points),
        sources_(sources),
        options_(options),
        log_(options.dry_run),
        refs_(domain, sources, log_) {}

  RepairResult run() {
    // Also those of points nobody named: theirs may lie in them.
    for (const uint32_t number : stored_numbers(domain_))
      repair_files(domain_, number, sources_, log_);
    mend_pages();
    RepairResult result;
    result.after = mend_chunks();
    if (!log_.mended().empty() && !options_.dry_run) {
      Damage ignored;
      result.after = check(false, ignored);
    }
    result.mended = std::move(log_.mended());
    return result;
  }

 private:
  struct Damage {
    std::vector<DamagedRef> refs;
    std::vector<StrayBytes> strays;
  };

  VerifyResult check(bool quick, Damage& damage) {
    if (options_.progress) options_.progress(0);
    VerifyOptions options;
    options.quick = quick;
    options.progress = options_.progress;
    options.damaged = [&](const DamagedRef& ref) {
      damage.refs.push_back(ref);
    };
    options.stray = [&](const StrayBytes& bytes) {
      damage.strays.push_back(bytes);
    };
    if (points_.empty()) return verify_domain(domain_, options);
    VerifyResult all;
    for (const uint32_t number : points_) {
      VerifyResult one = verify_point(domain_, number, options);
      all.points += one.points;
      all.pages += one.pages;
      all.chunks += one.chunks;
      all.bytes += one.bytes;
      std::ranges::move(one.findings, std::back_inserter(all.findings));
    }
    return all;
  }

  // What a mended page refers to may be damaged as well.
  void mend_pages() {
    for (bool again = true; again;) {
      again = false;
      Damage damage;
      check(true, damage);
      for (const DamagedRef& ref : damage.refs) {
        if (ref.ref.kind == RefKind::kPage)
          again = refs_.mend_page(ref) || again;
      }
      if (options_.dry_run) return;
    }
  }

  VerifyResult mend_chunks() {
    Damage damage;
    VerifyResult result = check(false, damage);
    std::erase_if(damage.refs, [](const DamagedRef& ref) {
      return ref.ref.kind != RefKind::kChunk;
    });
    refs_.mend_chunks(damage.refs);
    if (!all_known()) return result;
    for (const StrayBytes& bytes : damage.strays) {
      Mended entry;
      entry.file = bytes.file;
      entry.offset = bytes.begin;
      entry.what = "padding";
      log_.zero(domain_.path().parent_path() / bytes.file, bytes.begin,
                bytes.end, std::move(entry));
    }
    return result;
  }

  // What a point whose manifest is lost reaches seems to belong to nothing.
  bool all_known() const {
    return std::ranges::all_of(stored_numbers(domain_), [&](uint32_t number) {
      try {
        return read_stored(domain_, number).has_value();
      } catch (const Error&) {
        return false;
      }
    });
  }

  const Domain& domain_;
  const std::vector<uint32_t>& points_;
  const RepairSources& sources_;
  const RepairOptions& options_;
  RepairLog log_;
  RefRepair refs_;
};

}  // namespace

RepairResult repair(const Domain& domain, const std::vector<uint32_t>& points,
                    const RepairSources& sources, const WriterLock& /*lock*/,
                    const RepairOptions& options) {
  return Repair(domain, points, sources, options).run();
}

}  // namespace backstitch::format
