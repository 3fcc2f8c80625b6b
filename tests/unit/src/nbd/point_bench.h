// Points made from block sources, read back.
#pragma once

#include <gtest/gtest.h>

#include "format/repository/point_writer.h"
#include "format/repository/writer_lock.h"
#include "src/nbd/copy_pipeline.h"
#include "tests/support/temp_dir.h"

namespace backstitch::engine::testing {

class PointBench {
 public:
  // Makes a point of one disk; nothing is left when `source` fails.
  format::DiskManifest take(BlockSource& source,
                            const CopyOptions& options = {}) {
    const format::WriterLock lock(domain_);
    format::PointWriter writer(repository_, domain_,
                               format::plan_point(domain_, std::nullopt), {},
                               std::make_shared<format::Caches>());
    format::DiskWriter& disk = writer.add_disk("vda", source.size_bytes());
    Progress progress;
    disk.manifest().read_bytes =
        copy_disk(source, disk, progress, options).read_bytes;
    writer.commit();
    return *domain_.open_point(writer.number()).manifest().disk("vda");
  }

  Bytes latest() const {
    const auto image = domain_.open_point(domain_.last_number())
                           .image("vda", std::make_shared<format::Caches>());
    Bytes content(image->size());
    image->read_at(0, content);
    return content;
  }
  std::vector<uint32_t> points() const { return domain_.points(); }

 private:
  test::TempDir directory_;
  format::Repository repository_ =
      format::Repository::create(directory_.path() / "repository");
  format::Domain domain_ = repository_.create_domain("vm1");
};

}  // namespace backstitch::engine::testing
