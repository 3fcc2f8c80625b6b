#include "src/records/metrics.h"

#include <fmt/format.h>

#include <map>

#include "format/base/error.h"
#include "src/base/replace_file.h"
#include "src/records/records.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;

// Label values are UTF-8 with three escapes.
std::string escaped(const std::string& value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

double seconds(format::Time time) {
  return static_cast<double>(time.time_since_epoch().count()) / 1000.0;
}

// Samples of one metric stand together, below its description.
class Metrics {
 public:
  void add(const std::string& name, const std::string& help,
           const std::string& domain, double value,
           const std::string& more_labels = "") {
    Family& family = families_[name];
    family.help = help;
    family.samples += fmt::format("backstitch_{}{{domain=\"{}\"{}}} {:.15g}\n",
                                  name, escaped(domain), more_labels, value);
  }

  std::string text() const {
    std::string out;
    for (const auto& [name, family] : families_) {
      out += fmt::format(
          "# HELP backstitch_{0} {1}\n# TYPE backstitch_{0} "
          "gauge\n{2}",
          name, family.help, family.samples);
    }
    return out;
  }

 private:
  struct Family {
    std::string help;
    std::string samples;
  };
  std::map<std::string, Family> families_;
};

struct Totals {
  unsigned points = 0;
  unsigned unreadable = 0;
  uint64_t stored_bytes = 0;
  std::shared_ptr<const format::Manifest> last;
};

Totals totals_of(const format::Domain& domain) {
  Totals totals;
  for (const uint32_t number : domain.points()) {
    try {
      const auto point = domain.open_point(number);
      ++totals.points;
      totals.stored_bytes += point.manifest().stored_bytes();
      totals.last = std::make_shared<format::Manifest>(point.manifest());
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kNotFound) continue;  // deleted meanwhile
      ++totals.unreadable;
    }
  }
  return totals;
}

void add_points(Metrics& metrics, const std::string& name,
                const Totals& totals) {
  metrics.add("points", "Recovery points.", name, totals.points);
  metrics.add("points_unreadable",
              "Recovery points whose manifest cannot be used.", name,
              totals.unreadable);
  metrics.add("stored_bytes", "Bytes of disks in all recovery points.", name,
              static_cast<double>(totals.stored_bytes));
  if (!totals.last) return;
  const format::Manifest& last = *totals.last;
  uint64_t size = 0;
  uint64_t changed = 0;
  for (const auto& disk : last.disks) {
    size += disk.size_bytes;
    changed += disk.changed_chunks * format::kChunkBytes;
  }
  metrics.add("last_point", "Number of the newest recovery point.", name,
              last.point);
  metrics.add("last_point_timestamp_seconds",
              "Time of the state that the newest recovery point holds.", name,
              seconds(last.time));
  metrics.add("last_point_duration_seconds",
              "How long the newest recovery point took.", name,
              static_cast<double>(last.duration_ms) / 1000.0);
  metrics.add("last_point_size_bytes", "Size of the machine's disks.", name,
              static_cast<double>(size));
  metrics.add("last_point_changed_bytes",
              "Content that the newest recovery point stored anew.", name,
              static_cast<double>(changed));
  metrics.add("last_point_stored_bytes",
              "Bytes of disks that the newest recovery point takes up.", name,
              static_cast<double>(last.stored_bytes()));
}

void add_records(Metrics& metrics, const std::string& name,
                 const DomainRecords& records) {
  if (records.run) {
    metrics.add("run_timestamp_seconds", "When the last run began.", name,
                seconds(records.run->time));
    metrics.add("run_duration_seconds", "How long the last run took.", name,
                static_cast<double>(records.run->duration_ms) / 1000.0);
    metrics.add("run_exit_code", "Exit status of the last run, 0: success.",
                name, records.run->exit_code);
  }
  std::map<std::string, const Verification*> newest;
  for (const Verification& one : records.verifications) {
    const Verification*& known = newest[one.kind];
    if (known == nullptr || known->time < one.time) known = &one;
  }
  for (const auto& [kind, one] : newest) {
    const std::string label = ",kind=\"" + kind + "\"";
    metrics.add("verified_timestamp_seconds",
                "When a recovery point was last verified.", name,
                seconds(one->time), label);
    metrics.add("verified_point", "The point that was verified last.", name,
                one->point, label);
    metrics.add("verified_good", "Whether it was found good.", name,
                one->good ? 1 : 0, label);
  }
}

}  // namespace

std::string metrics_text(const format::Repository& repository) {
  Metrics metrics;
  for (const auto& domain : repository.domains()) {
    add_points(metrics, domain.name(), totals_of(domain));
    add_records(metrics, domain.name(),
                load_records(repository, domain.name()));
  }
  return metrics.text();
}

void write_metrics(const format::Repository& repository, const fs::path& path) {
  replace_file(path, metrics_text(repository));
}

}  // namespace backstitch::engine
