#include "src/config/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "format/base/error.h"
#include "format/base/file.h"
#include "src/base/local_time.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;

// Every key has one reader; what no reader knows is refused, because a
// misspelt retention rule must not pass for none.
class Reader {
 public:
  explicit Reader(fs::path path) : path_(std::move(path)) {}

  using Read = std::function<void(const toml::node&)>;
  using Keys = std::map<std::string, Read>;

  [[noreturn]] void refuse(const toml::node& at,
                           const std::string& what) const {
    throw Error(ErrorKind::kUsage, path_.string() + ", line " +
                                       std::to_string(at.source().begin.line) +
                                       ": " + what);
  }

  void read_table(const toml::table& table, const Keys& keys) const {
    for (const auto& [key, node] : table) {
      const auto found = keys.find(std::string(key.str()));
      if (found == keys.end())
        refuse(node, "unknown key '" + std::string(key.str()) + "'");
      found->second(node);
    }
  }

  const toml::table& table(const toml::node& node,
                           const std::string& key) const {
    if (const auto* found = node.as_table()) return *found;
    refuse(node, "'" + key + "' is no table");
  }

  Read text(const std::string& key, std::string& out) const {
    return [this, key, &out](const toml::node& node) {
      const auto value = node.value_exact<std::string>();
      if (!value) refuse(node, "'" + key + "' is no string");
      out = *value;
    };
  }

  Read word(const std::string& key, std::string& out,
            const std::vector<std::string>& known) const {
    return [this, key, &out, known](const toml::node& node) {
      text(key, out)(node);
      if (std::ranges::find(known, out) != known.end()) return;
      std::string list;
      for (const auto& one : known) list += (list.empty() ? "" : ", ") + one;
      refuse(node, "'" + key + "' is one of: " + list);
    };
  }

  Read yes(const std::string& key, bool& out) const {
    return [this, key, &out](const toml::node& node) {
      const auto value = node.value_exact<bool>();
      if (!value) refuse(node, "'" + key + "' is neither true nor false");
      out = *value;
    };
  }

  Read count(const std::string& key, unsigned& out) const {
    return [this, key, &out](const toml::node& node) {
      const auto value = node.value_exact<int64_t>();
      if (!value || *value < 0 || *value > 1'000'000)
        refuse(node, "'" + key + "' is no number of things");
      out = static_cast<unsigned>(*value);
    };
  }

  // "30d", "4w": days.
  Read days(const std::string& key, unsigned& out) const {
    return [this, key, &out](const toml::node& node) {
      std::string value;
      text(key, value)(node);
      const size_t digits = value.find_first_not_of("0123456789");
      const std::string unit =
          digits == std::string::npos ? "" : value.substr(digits);
      if (digits == 0 || digits > 4 || (unit != "d" && unit != "w"))
        refuse(node, "'" + key + "' is no time like \"30d\" or \"4w\"");
      out = static_cast<unsigned>(std::stoul(value)) * (unit == "w" ? 7 : 1);
    };
  }

  // "26h", "3d"; "never".
  Read patience(const std::string& key,
                std::optional<std::chrono::seconds>& out) const {
    return [this, key, &out](const toml::node& node) {
      std::string value;
      text(key, value)(node);
      out = parse_patience(value);
      if (!out) refuse(node, "'" + key + "' is no time like \"26h\"");
    };
  }

  Read texts(const std::string& key, std::vector<std::string>& out) const {
    return [this, key, &out](const toml::node& node) {
      out.clear();
      const auto* list = node.as_array();
      if (list == nullptr) refuse(node, "'" + key + "' is no list of strings");
      for (const auto& element : *list) {
        const auto value = element.value_exact<std::string>();
        if (!value) refuse(element, "'" + key + "' is no list of strings");
        out.push_back(*value);
      }
    };
  }

  Read text_map(const std::string& key,
                std::map<std::string, std::string>& out) const {
    return [this, key, &out](const toml::node& node) {
      for (const auto& [name, value] : table(node, key))
        text(key, out[std::string(name.str())])(value);
    };
  }

  Read keep(format::KeepPolicy& out) const {
    return [this, &out](const toml::node& node) {
      out = {};  // a machine's own rules stand instead of the general ones
      read_table(table(node, "keep"),
                 {{"last", count("last", out.last)},
                  {"daily", count("daily", out.daily)},
                  {"weekly", count("weekly", out.weekly)},
                  {"monthly", count("monthly", out.monthly)},
                  {"yearly", count("yearly", out.yearly)}});
    };
  }

  Keys plan(MachinePlan& out) const {
    return {{"level",
             word("level", out.level,
                  {"auto", "full", "incremental", "differential", "copy"})},
            {"full_every", days("full_every", out.full_every_days)},
            {"options", texts("options", out.options)},
            {"keep", keep(out.keep)},
            {"verify", word("verify", out.verify, {"none", "quick", "full"})},
            {"overdue", patience("overdue", out.overdue)},
            {"before", text("before", out.before)},
            {"after", text("after", out.after)}};
  }

  MachinePlan machine(const std::string& name, const toml::node& node,
                      const MachinePlan& defaults) const {
    MachinePlan plan = defaults;
    plan.name = name;
    Keys keys = this->plan(plan);
    keys["images"] = text_map("images", plan.images);
    read_table(table(node, name), keys);
    return plan;
  }

  Config config(const toml::table& root) const {
    Config config;
    // The parts build on each other, in whatever order the file has them.
    if (const auto* backup = root.get("backup"))
      read_table(table(*backup, "backup"), plan(config.defaults));
    const auto machines = [&](const toml::node& node) {
      for (const auto& [name, part] : table(node, "machine")) {
        config.machines.push_back(
            machine(std::string(name.str()), part, config.defaults));
      }
    };
    read_table(root, {{"repository", text("repository", config.repository)},
                      {"connect", text("connect", config.connect)},
                      {"metrics", text("metrics", config.metrics)},
                      {"report", text("report", config.report)},
                      {"all_domains", yes("all_domains", config.all_domains)},
                      {"backup", [](const toml::node&) {}},
                      {"machine", machines}});
    return config;
  }

 private:
  const fs::path path_;
};

}  // namespace

std::optional<std::chrono::seconds> parse_patience(const std::string& text) {
  if (text == "never") return std::chrono::seconds(0);
  return parse_span(text);
}

MachinePlan Config::machine(const std::string& name) const {
  const auto found = std::ranges::find(machines, name, &MachinePlan::name);
  if (found != machines.end()) return *found;
  MachinePlan plan = defaults;
  plan.name = name;
  return plan;
}

fs::path config_path() {
  const char* named = std::getenv("BACKSTITCH_CONFIG");
  return named != nullptr && *named != '\0' ? named
                                            : "/etc/backstitch/backstitch.toml";
}

Config load_config(const fs::path& path) {
  const std::string text = read_text(path);
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw Error(ErrorKind::kUsage,
                path.string() + ", line " +
                    std::to_string(error.source().begin.line) + ": " +
                    std::string(error.description()));
  }
  return Reader(path).config(table);
}

Config load_config_if_there(const fs::path& path) {
  try {
    return load_config(path);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kNotFound) return {};
    throw;
  }
}

}  // namespace backstitch::engine
