// What a domain, a disk and a side file may be called in a repository.
#pragma once

#include <string>

namespace backstitch::format {

// 1 to 200 bytes of UTF-8 without '/', control characters or a leading '.',
// and not the name of one of the repository's own files. Throws kUsage.
void check_domain_name(const std::string& name);
// 1 to 63 of A-Z a-z 0-9 _ -. Throws kUsage.
void check_disk_name(const std::string& name);
// 1 to 100 of A-Z a-z 0-9 _ - ., no leading '.', not `point.json` and not a
// disk's file. Throws kUsage.
void check_side_file_name(const std::string& name);

// "000007": how a point's directory is called.
std::string point_name(uint32_t number);
// The number of such a name, 0 when it is none.
uint32_t point_number(const std::string& name);

// A name from outside as it can be printed on a terminal: control characters
// become \xNN.
std::string printable(const std::string& name);

}  // namespace backstitch::format
