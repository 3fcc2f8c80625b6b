#include "fuse/tree/inode_table.h"

#include <gtest/gtest.h>

#include <thread>

#include "format/base/error.h"

namespace backstitch::mount {
namespace {

class FakeNode : public Node {
 public:
  explicit FakeNode(int identity) : identity_(identity) {}
  struct stat attributes() const override {
    return {};
  }
  bool is_same(const Node& other) const override {
    return dynamic_cast<const FakeNode&>(other).identity_ == identity_;
  }

 private:
  const int identity_;
};

NodePointer fake(int identity) { return std::make_shared<FakeNode>(identity); }

TEST(InodeTable, RootIsAlwaysKnown) {
  const NodePointer root = fake(0);
  InodeTable table(root);
  table.forget(InodeTable::kRoot, 1000);
  EXPECT_EQ(table.get(InodeTable::kRoot), root);
  EXPECT_THROW(table.get(2), Error);
}

TEST(InodeTable, ANameKeepsItsNodeWhileItIsTheSame) {
  InodeTable table(fake(0));
  const auto first = table.remember(1, "a", fake(7));
  const auto second = table.remember(1, "a", fake(7));
  EXPECT_EQ(first.inode, second.inode);
  EXPECT_EQ(first.node, second.node);
  EXPECT_EQ(table.find(1, "a"), first.node);
  EXPECT_EQ(table.find(1, "b"), nullptr);
  EXPECT_EQ(table.find(2, "a"), nullptr);
}

TEST(InodeTable, ItIsForgottenWithTheLastReference) {
  InodeTable table(fake(0));
  const uint64_t inode = table.remember(1, "a", fake(7)).inode;
  table.remember(1, "a", fake(7));
  table.forget(inode, 1);
  EXPECT_NO_THROW(table.get(inode));
  table.forget(inode, 1);
  EXPECT_THROW(table.get(inode), Error);
  EXPECT_EQ(table.find(1, "a"), nullptr);
  EXPECT_EQ(table.size(), 1U);
  // Never the same number for what may be another image.
  EXPECT_NE(table.remember(1, "a", fake(7)).inode, inode);
}

TEST(InodeTable, AnotherThingTakesTheNameAndTheOldOneLivesOn) {
  InodeTable table(fake(0));
  const auto old = table.remember(1, "a", fake(7));
  const auto now = table.remember(1, "a", fake(8));
  EXPECT_NE(old.inode, now.inode);
  EXPECT_EQ(table.get(old.inode), old.node);
  EXPECT_EQ(table.find(1, "a"), now.node);
  table.forget(old.inode, 1);
  EXPECT_EQ(table.find(1, "a"), now.node);
}

TEST(InodeTable, TooManyForgetsDoNoHarm) {
  InodeTable table(fake(0));
  const uint64_t inode = table.remember(1, "a", fake(7)).inode;
  table.forget(inode, 100);
  table.forget(inode, 1);
  table.forget(12345, 1);
  EXPECT_EQ(table.size(), 1U);
}

TEST(InodeTable, ManyThreads) {
  InodeTable table(fake(0));
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&table] {
      for (int i = 0; i < 5000; ++i) {
        const auto known =
            table.remember(1, std::to_string(i % 10), fake(i % 10));
        EXPECT_EQ(table.get(known.inode), known.node);
        table.forget(known.inode, 1);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(table.size(), 1U);
}

}  // namespace
}  // namespace backstitch::mount
