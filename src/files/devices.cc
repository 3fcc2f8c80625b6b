#include "src/files/devices.h"

#include <cctype>

namespace backstitch::engine {

namespace {

constexpr const char* kDev = "/dev/";
constexpr const char* kSubvolume = "btrfsvol:";

bool digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// "sda" … "sdz", "sdaa" …
std::string appliance_disk(size_t index) {
  std::string letters;
  for (size_t left = index + 1; left > 0; left = (left - 1) / 26)
    letters.insert(0, 1, static_cast<char>('a' + (left - 1) % 26));
  return "sd" + letters;
}

// As the kernel writes it: sda1, but nvme0n1p1.
std::string separator(const std::string& disk) {
  return !disk.empty() && digit(disk.back()) ? "p" : "";
}

// The partition's number when `name` is DISK or DISK's partition and ends at
// its end or at a '/'; npos-like false otherwise.
bool belongs(const std::string& name, const std::string& disk,
             std::string& rest) {
  if (!name.starts_with(disk)) return false;
  std::string tail = name.substr(disk.size());
  if (tail.empty() || tail[0] == '/') {
    rest = tail;
    return true;
  }
  const std::string between = separator(disk);
  if (!tail.starts_with(between)) return false;
  tail.erase(0, between.size());
  size_t digits = 0;
  while (digits < tail.size() && digit(tail[digits])) ++digits;
  if (digits == 0) return false;
  if (digits < tail.size() && tail[digits] != '/') return false;
  rest = tail;
  return true;
}

std::string joined(const std::string& disk, const std::string& rest) {
  const bool partition = !rest.empty() && rest[0] != '/';
  return kDev + disk + (partition ? separator(disk) : "") + rest;
}

}  // namespace

std::string guest_device(const std::string& device,
                         const std::vector<std::string>& disks) {
  if (device.starts_with(kSubvolume)) {
    return kSubvolume +
           guest_device(device.substr(std::string(kSubvolume).size()), disks);
  }
  if (!device.starts_with(kDev)) return device;
  const std::string name = device.substr(std::string(kDev).size());
  for (size_t i = 0; i < disks.size(); ++i) {
    std::string rest;
    if (belongs(name, appliance_disk(i), rest)) return joined(disks[i], rest);
  }
  return device;
}

std::string appliance_device(const std::string& device,
                             const std::vector<std::string>& disks) {
  if (device.starts_with(kSubvolume)) {
    return kSubvolume +
           appliance_device(device.substr(std::string(kSubvolume).size()),
                            disks);
  }
  const std::string name = device.starts_with(kDev)
                               ? device.substr(std::string(kDev).size())
                               : device;
  for (size_t i = 0; i < disks.size(); ++i) {
    std::string rest;
    if (belongs(name, disks[i], rest)) return joined(appliance_disk(i), rest);
  }
  return kDev + name;
}

}  // namespace backstitch::engine
