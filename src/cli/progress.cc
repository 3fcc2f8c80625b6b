#include "src/cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "format/base/units.h"
#include "format/repository/names.h"
#include "src/cli/output.h"

namespace backstitch::cli {

namespace {

using std::chrono::milliseconds;

constexpr size_t kLeastBar = 8;
constexpr const char* kClearLine = "\r\033[K";

std::string clock_time(double seconds) {
  const auto whole = static_cast<uint64_t>(std::max(seconds, 0.0));
  const uint64_t hours = whole / 3600;
  return hours != 0
             ? fmt::format("{}:{:02}:{:02}", hours, whole / 60 % 60, whole % 60)
             : fmt::format("{}:{:02}", whole / 60, whole % 60);
}

// Bytes found on the way (a disk that is read twice) must not give 101 %.
uint64_t done_of_total(const ProgressState& state) {
  return state.total_bytes == 0 ? state.done_bytes
                                : std::min(state.done_bytes, state.total_bytes);
}

std::string numbers(const ProgressState& state) {
  const uint64_t done = done_of_total(state);
  const double rate =
      state.seconds > 0 ? static_cast<double>(done) / state.seconds : 0;
  std::string text;
  if (state.total_bytes != 0) {
    const auto percent =
        static_cast<unsigned>(100.0 * static_cast<double>(done) /
                              static_cast<double>(state.total_bytes));
    text += fmt::format("{:3}%  {} of {}", percent, format_bytes(done),
                        format_bytes(state.total_bytes));
  } else {
    text += format_bytes(done);
  }
  text += fmt::format("  {}/s", format_bytes(static_cast<uint64_t>(rate)));
  if (state.total_bytes != 0 && rate > 0) {
    text += "  ETA " +
            clock_time(static_cast<double>(state.total_bytes - done) / rate);
  }
  return text;
}

size_t terminal_width() {
  winsize size{};
  const bool known =
      ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

}  // namespace

std::string progress_bar(const ProgressState& state, size_t width) {
  const std::string name = format::printable(state.part);
  const std::string tail = numbers(state);
  const size_t used = display_width(name) + tail.size() + 4;
  if (state.total_bytes == 0 || used + kLeastBar > width) {
    const std::string line = name + "  " + tail;
    return display_width(line) <= width ? line : tail.substr(0, width);
  }
  const size_t cells = width - used;
  const double part = static_cast<double>(done_of_total(state)) /
                      static_cast<double>(state.total_bytes);
  const auto full = static_cast<size_t>(part * static_cast<double>(cells));
  std::string bar(full, '=');
  if (full < cells) bar += '>';
  bar.resize(cells, ' ');
  return name + " [" + bar + "] " + tail;
}

std::string progress_text(const ProgressState& state) {
  const std::string text = numbers(state);
  return format::printable(state.part) + ": " +
         text.substr(text.find_first_not_of(' '));
}

ProgressView::ProgressView(int fd, Kind kind, size_t width,
                           milliseconds interval)
    : fd_(fd), kind_(kind), width_(width), interval_(interval) {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      wake_.wait_for(lock, stop, interval_, [] { return false; });
      if (active_ && !stop.stop_requested()) draw();
    }
  });
}

ProgressView::~ProgressView() {
  thread_.request_stop();
  thread_.join();
  clear();
}

void ProgressView::begin(const std::string& part, uint64_t total_bytes) {
  const std::lock_guard lock(mutex_);
  part_ = part;
  total_ = total_bytes;
  done_ = 0;
  start_ = std::chrono::steady_clock::now();
  active_ = true;
}

void ProgressView::end() {
  const std::lock_guard lock(mutex_);
  // Work that was never worth a line is not worth one at its end either.
  if (active_ && kind_ == Kind::kLines && drawn_) draw();
  if (kind_ == Kind::kBar) clear();
  active_ = false;
}

void ProgressView::draw() {
  drawn_ = true;
  if (kind_ == Kind::kBar) {
    write("\r" + progress_bar(state(), width_) + "\033[K");
  } else {
    write(progress_text(state()) + "\n");
  }
}

void ProgressView::clear() {
  if (kind_ == Kind::kBar && drawn_) write(kClearLine);
  drawn_ = false;
}

// Progress that cannot be shown is no failure of the work.
void ProgressView::write(const std::string& text) const {
  if (::write(fd_, text.data(), text.size()) < 0) return;
}

ProgressState ProgressView::state() const {
  const std::chrono::duration<double> elapsed =
      std::chrono::steady_clock::now() - start_;
  return {part_, done_, total_, elapsed.count()};
}

std::unique_ptr<engine::Progress> make_progress(const Globals& globals) {
  if (globals.quiet) return std::make_unique<engine::Progress>();
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  // One cell stays free: a terminal wraps after its last.
  return std::make_unique<ProgressView>(
      STDERR_FILENO,
      terminal ? ProgressView::Kind::kBar : ProgressView::Kind::kLines,
      terminal ? terminal_width() - 1 : 79,
      terminal ? milliseconds(200) : milliseconds(10'000));
}

}  // namespace backstitch::cli
