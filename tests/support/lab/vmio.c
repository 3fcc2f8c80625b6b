// Deterministic writes inside the guest. Linked statically into its initramfs.
//
//   vmio scatter PATH SEED COUNT SIZE START LENGTH
//       COUNT pieces of SIZE random bytes at SIZE-aligned pseudo-random places
//       in [START, START + LENGTH)
//   vmio fill    PATH START LENGTH BYTE
//   vmio write0  PATH START LENGTH    zeroes, written as data
//   vmio zero    DEVICE START LENGTH  BLKZEROOUT
//   vmio discard DEVICE START LENGTH  BLKDISCARD
//   vmio fzero   FILE START LENGTH    fallocate: zero range, keep size
//   vmio punch   FILE START LENGTH    fallocate: punch hole, keep size
//   vmio ticks   SLOTS STRIDE {DEVICE START}...
//       writes 1, 2, 3 ... until it is killed, in turn to each device, there
//       in turn to each slot: a state of the disks at one instant holds all
//       numbers up to one (save those that were overwritten) and none above
//
// Each of the others syncs before it exits, so a checkpoint taken then holds its
// work.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const size_t kBufferBytes = 1 << 20;

static uint64_t random_state;

static uint64_t next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static void die(const char* what) {
  fprintf(stderr, "vmio: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t number(const char* text) { return strtoull(text, NULL, 0); }

static void put(int fd, const void* bytes, size_t length, uint64_t offset) {
  if (pwrite(fd, bytes, length, offset) != (ssize_t)length) die("pwrite");
}

static void scatter(int fd, char** arguments) {
  random_state = number(arguments[0]) * 0x9E3779B97F4A7C15ULL + 1;
  const uint64_t count = number(arguments[1]);
  const uint64_t size = number(arguments[2]);
  const uint64_t start = number(arguments[3]);
  const uint64_t places = number(arguments[4]) / size;
  uint64_t* piece = aligned_alloc(4096, size < 4096 ? 4096 : size);
  for (uint64_t i = 0; i < count; ++i) {
    for (uint64_t k = 0; k < size / 8; ++k) piece[k] = next_random();
    put(fd, piece, size, start + next_random() % places * size);
  }
  free(piece);
}

static void fill(int fd, uint64_t start, uint64_t length, int byte) {
  char* buffer = malloc(kBufferBytes);
  memset(buffer, byte, kBufferBytes);
  for (uint64_t done = 0; done < length;) {
    const uint64_t left = length - done;
    const size_t step = left < kBufferBytes ? left : kBufferBytes;
    put(fd, buffer, step, start + done);
    done += step;
  }
  free(buffer);
}

// Every 4 KiB block is full of its number. One write at a time, past the cache.
static void ticks(char** arguments, int device_count) {
  enum { kBlockBytes = 4096, kMaxDevices = 8 };
  const uint64_t slots = number(arguments[0]);
  const uint64_t stride = number(arguments[1]);
  int fds[kMaxDevices];
  uint64_t starts[kMaxDevices];
  for (int i = 0; i < device_count && i < kMaxDevices; ++i) {
    fds[i] = open(arguments[2 + 2 * i], O_RDWR | O_DIRECT);
    if (fds[i] < 0) die(arguments[2 + 2 * i]);
    starts[i] = number(arguments[3 + 2 * i]);
  }
  uint64_t* block = aligned_alloc(kBlockBytes, kBlockBytes);
  for (uint64_t tick = 1;; ++tick) {
    const int device = tick % device_count;
    const uint64_t slot = tick / device_count % slots;
    for (size_t k = 0; k < kBlockBytes / sizeof *block; ++k) block[k] = tick;
    put(fds[device], block, kBlockBytes, starts[device] + slot * stride);
    usleep(1000);
  }
}

int main(int count, char** arguments) {
  if (count < 5) {
    fprintf(stderr, "usage: see the head of vmio.c\n");
    return 2;
  }
  const char* verb = arguments[1];
  if (!strcmp(verb, "ticks")) {
    if (count > 5) ticks(arguments + 2, (count - 4) / 2);
    return 2;
  }
  const int fd = open(arguments[2], O_RDWR);
  if (fd < 0) die(arguments[2]);
  if (!strcmp(verb, "scatter") && count == 8) {
    scatter(fd, arguments + 3);
  } else {
    uint64_t range[2] = {number(arguments[3]), number(arguments[4])};
    int failed = 0;
    if (!strcmp(verb, "zero")) {
      failed = ioctl(fd, BLKZEROOUT, range);
    } else if (!strcmp(verb, "discard")) {
      failed = ioctl(fd, BLKDISCARD, range);
    } else if (!strcmp(verb, "fzero")) {
      failed = fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                         range[0], range[1]);
    } else if (!strcmp(verb, "punch")) {
      failed = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                         range[0], range[1]);
    } else {
      const int byte = count > 5 ? (int)number(arguments[5]) : 0;
      fill(fd, range[0], range[1], strcmp(verb, "write0") ? byte : 0);
    }
    if (failed) die(verb);
  }
  if (fsync(fd)) die("fsync");
  return 0;
}
