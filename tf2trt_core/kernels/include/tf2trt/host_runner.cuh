// The engine that runs kernels on the CPU: a program that takes launches on stdin and returns buffers on stdout.
//
// Built with AddressSanitizer and UBSan, it is its own process, so a kernel that reads or writes out of bounds ends this
// program and not the caller's. Buffers are heap blocks of exactly their size; what nobody wrote is 0xCD. The order of
// threads and of blocks is shuffled by a seed, and with odd seeds one warp goes on as far as it can before another does:
// a missing barrier or a block that counts on its neighbour shows.
#include "host.cuh"

#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// -- switching stacks: the registers that a function call preserves, and nothing else --
extern "C" void tf2trt_switch(void** from, void* to);
#if defined(__x86_64__)
asm(R"(
.text
.globl tf2trt_switch
.type tf2trt_switch, @function
tf2trt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size tf2trt_switch, .-tf2trt_switch
.section .note.GNU-stack,"",@progbits
.text
)");
constexpr int kSaved = 6;  // registers below the return address
constexpr int kReturn = 6;
#elif defined(__aarch64__)
asm(R"(
.text
.globl tf2trt_switch
.type tf2trt_switch, %function
tf2trt_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size tf2trt_switch, .-tf2trt_switch
)");
constexpr int kSaved = 20;
constexpr int kReturn = 11;  // x30
#else
#error "running kernels on the CPU is written for x86-64 and AArch64"
#endif

namespace tf2trt_host {

uint3 thread, block;
dim3 threads, blocks;

struct Fault : std::runtime_error {
  using runtime_error::runtime_error;
};

namespace {

constexpr size_t kStack = 256 << 10;
constexpr long kMostSpins = 1 << 20;
constexpr unsigned kLongest = 300;  // seconds for one run

struct Fiber {
  std::unique_ptr<char[]> stack{new char[kStack]};
  void* pointer = nullptr;
  void* shadow = nullptr;  // AddressSanitizer's note of this stack
};

using Held = std::deque<std::pair<Fiber*, uint3>>;

struct Group {  // lanes that meet in a collective; two sets of values, since the fast lanes run ahead
  unsigned mask = 0, arrived = 0, turn = 0;
  Bits values[2][32];
  Held held;
};

class Block {
 public:
  std::vector<char> dynamic;

  // `eager`: threads that were waiting run before all others, so that their warp runs ahead; else they take turns.
  void run(const Entry& entry, const Slot* slots, const std::vector<unsigned>& order, bool eager) {
    entry_ = &entry;
    eager_ = eager;
    slots_ = slots;
    order_ = &order;
    count_ = unsigned(order.size());
    next_ = waiting_ = done_ = 0;
    spins = 0;
    groups_.assign((count_ + 31) / 32, {});
    ready_.clear();
    held_.clear();
    failed_.clear();
    while (done_ < count_) {
      Fiber* fiber;
      if (!ready_.empty()) {
        fiber = ready_.front().first;
        thread = ready_.front().second;
        ready_.pop_front();
      } else if (next_ < count_) {
        fiber = fresh();
      } else {
        throw Fault(stuck());
      }
      enter(fiber);
      if (!failed_.empty()) throw Fault(failed_);
    }
  }

  void barrier(const char* what) {
    what_ = what;
    if (++waiting_ < count_) {
      held_.push_back({current_, thread});
      leave();
      return;
    }
    waiting_ = 0;
    release(held_);
  }

  const Bits* exchange(unsigned mask, Bits mine) {
    const unsigned at = rank(), lane = at % 32;
    if (!(mask >> lane & 1)) fault("a thread calls a warp collective without being in its mask");
    const unsigned left = count_ - at / 32 * 32;
    if (left < 32 && mask >> left) fault("a warp collective names lanes that the block does not have");
    Group& group = meeting(at / 32, mask);
    const unsigned turn = group.turn & 1;
    group.values[turn][lane] = mine;
    group.arrived |= 1u << lane;
    if (group.arrived == mask) {
      group.arrived = 0;
      ++group.turn;
      release(group.held);
    } else {
      group.held.push_back({current_, thread});
      leave();
    }
    return group.values[turn];
  }

  void fail(const char* what) {
    failed_ = what;
    leave();
    abort();
  }

  long spins = 0;

 private:
  Group& meeting(unsigned warp, unsigned mask) {
    for (Group& group : groups_[warp])
      if (group.mask == mask) return group;
    groups_[warp].emplace_back();
    groups_[warp].back().mask = mask;
    return groups_[warp].back();
  }

  // A worker: runs threads one after the other as long as none of them has to wait.
  static void body();

  void work() {
    while (next_ < count_) {
      const unsigned index = (*order_)[next_++];
      thread = {index % threads.x, index / threads.x % threads.y, index / threads.x / threads.y};
      entry_->call(slots_);
      ++done_;
    }
  }

  Fiber* fresh() {
    if (idle_.empty()) {
      fibers_.emplace_back(new Fiber);
      idle_.push_back(fibers_.back().get());
    }
    Fiber* fiber = idle_.back();
    idle_.pop_back();
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(fiber->stack.get(), kStack);  // frames that were left, not returned from
#endif
    void** top = reinterpret_cast<void**>(reinterpret_cast<uintptr_t>(fiber->stack.get() + kStack - 64) & ~uintptr_t(63));
#if defined(__x86_64__)
    *--top = nullptr;  // the stack is 8 past a multiple of 16 at a function's entry
    *--top = reinterpret_cast<void*>(&Block::body);
    top -= kSaved;
    std::fill(top, top + kSaved, nullptr);
#else
    top -= kSaved;
    std::fill(top, top + kSaved, nullptr);
    top[kReturn] = reinterpret_cast<void*>(&Block::body);
#endif
    fiber->pointer = top;
    fiber->shadow = nullptr;
    return fiber;
  }

  void enter(Fiber* fiber) {
    current_ = fiber;
#if defined(__SANITIZE_ADDRESS__)
    void* shadow = nullptr;
    __sanitizer_start_switch_fiber(&shadow, fiber->stack.get(), kStack);
#endif
    tf2trt_switch(&main_, fiber->pointer);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(shadow, nullptr, nullptr);
#endif
  }

  void leave() {
    Fiber* fiber = current_;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&fiber->shadow, stack_, stack_size_);
#endif
    tf2trt_switch(&fiber->pointer, main_);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fiber->shadow, &stack_, &stack_size_);
#endif
  }

  void release(Held& held) {
    ready_.insert(eager_ ? ready_.begin() : ready_.end(), held.begin(), held.end());
    held.clear();
  }

  std::string stuck() {
    char text[200];
    if (waiting_) {
      snprintf(text, sizeof text, "%s: %u of %u threads have come, the others have ended or wait elsewhere",
               what_, waiting_, count_);
    } else {
      snprintf(text, sizeof text, "a warp collective waits for lanes that never come");
    }
    return text;
  }

  const Entry* entry_ = nullptr;
  const Slot* slots_ = nullptr;
  const std::vector<unsigned>* order_ = nullptr;
  const char* what_ = "";
  unsigned count_ = 0, next_ = 0, waiting_ = 0, done_ = 0;
  bool eager_ = false;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Held ready_, held_;
  std::vector<std::list<Group>> groups_;  // of each warp
  Fiber* current_ = nullptr;
  void* main_ = nullptr;
  const void* stack_ = nullptr;
  size_t stack_size_ = 0;
  std::string failed_;
};

Block engine;

void Block::body() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &engine.stack_, &engine.stack_size_);
#endif
  engine.work();
  engine.idle_.push_back(engine.current_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(nullptr, engine.stack_, engine.stack_size_);
#endif
  void* unused;
  tf2trt_switch(&unused, engine.main_);
}

}  // namespace

void barrier(const char* what) {
  const uint3 mine = thread;
  engine.barrier(what);
  thread = mine;
}
const Bits* exchange(unsigned mask, Bits mine) {
  const uint3 self = thread;
  const Bits* all = engine.exchange(mask, mine);
  thread = self;
  return all;
}
void* dynamic_shared() { return engine.dynamic.data(); }
void fault(const char* what) {
  engine.fail(what);
  abort();
}
void spin() {
  if (++engine.spins > kMostSpins) fault("a block waits for another that never runs");
}

// -- the protocol: little-endian numbers, as the caller packs them --
namespace {

template <class T>
T read() {
  T value;
  if (fread(&value, sizeof value, 1, stdin) != 1) exit(0);  // the caller has gone
  return value;
}
std::string read_bytes(size_t size) {
  std::string bytes(size, '\0');
  if (size && fread(&bytes[0], size, 1, stdin) != 1) exit(0);
  return bytes;
}
template <class T>
void put(T value) {
  fwrite(&value, sizeof value, 1, stdout);
}

struct Buffer {  // `shift` bytes in front make it misaligned
  char* memory = nullptr;
  size_t size = 0, shift = 0;
  std::string given;
  Buffer(size_t size, size_t shift) : size(size), shift(shift) {
    void* raw = nullptr;
    if (posix_memalign(&raw, 256, std::max<size_t>(size + shift, 1))) throw Fault("out of memory");
    memory = static_cast<char*>(raw);
    memset(memory, 0xCD, size + shift);
  }
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(memory, other.memory);
    std::swap(size, other.size);
    std::swap(shift, other.shift);
    std::swap(given, other.given);
    return *this;
  }
  ~Buffer() { free(memory); }
  char* data() const { return memory + shift; }
};

struct Library {
  const Entry* entries;
  int count;
  char *begin, *end;  // its uninitialised data: the __shared__ arrays
};

const Library& load(const std::string& path) {
  static std::map<std::string, Library> loaded;
  auto found = loaded.find(path);
  if (found != loaded.end()) return found->second;
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) throw Fault(dlerror());
  auto table = reinterpret_cast<const Library* (*)()>(dlsym(handle, "tf2trt_library"));
  if (!table) throw Fault(dlerror());
  return loaded[path] = *table();
}

struct Order {  // of threads or blocks: as they are, backwards, or shuffled
  std::mt19937 random;
  unsigned seed;
  explicit Order(unsigned seed) : random(seed), seed(seed) {}
  void operator()(std::vector<unsigned>& items) {
    if (seed == 1) std::reverse(items.begin(), items.end());
    if (seed > 1) std::shuffle(items.begin(), items.end(), random);
  }
};

// Garbage into a library's uninitialised data, over what AddressSanitizer keeps between the arrays there too.
__attribute__((no_sanitize_address, noinline)) void litter(char* begin, char* end) {
  for (volatile char* at = begin; at != end; ++at) *at = char(0xCD);
}

void launch(const Library& library, std::vector<Buffer>& buffers, unsigned seed) {
  const auto index = read<uint32_t>();
  const auto shape = [] { const auto x = read<uint32_t>(), y = read<uint32_t>(), z = read<uint32_t>(); return dim3{x, y, z}; };
  blocks = shape();
  threads = shape();
  const auto shared = read<uint32_t>();
  const auto count = read<uint32_t>();
  std::vector<std::string> values(count);
  std::vector<Slot> slots(count);
  for (uint32_t i = 0; i < count; ++i) {
    const auto kind = read<uint8_t>();  // 0: a value, 1: an address, 2: a null pointer
    const bool pointer = kind != 0;
    if (pointer) {
      char* address = nullptr;
      if (kind == 1) {
        address = buffers.at(read<uint32_t>()).data();
        address += read<uint64_t>();
      }
      values[i].assign(reinterpret_cast<const char*>(&address), sizeof address);
    } else {
      values[i] = read_bytes(read<uint32_t>());
    }
    slots[i] = {values[i].data(), unsigned(values[i].size()), pointer};
  }
  if (int(index) >= library.count) throw Fault("no such entry");
  const Entry& entry = library.entries[index];
  if (entry.count != int(count)) {
    throw Fault("the kernel has " + std::to_string(entry.count) + " parameters and was given " + std::to_string(count));
  }
  for (uint32_t i = 0; i < count; ++i) {
    const Slot& wanted = entry.parameters[i];
    if (wanted.size != slots[i].size || wanted.pointer != slots[i].pointer) {
      throw Fault("parameter " + std::to_string(i) + " has " + std::to_string(wanted.size) + " bytes" +
                  (wanted.pointer ? " (a pointer)" : "") + " and was given " + std::to_string(slots[i].size) +
                  (slots[i].pointer ? " (a pointer)" : ""));
    }
  }
  const size_t total = size_t(blocks.x) * blocks.y * blocks.z;
  std::vector<unsigned> block_order(total), thread_order(size_t(threads.x) * threads.y * threads.z);
  for (size_t i = 0; i < total; ++i) block_order[i] = unsigned(i);
  for (size_t i = 0; i < thread_order.size(); ++i) thread_order[i] = unsigned(i);
  Order order(seed);
  order(block_order);
  order(thread_order);
  for (const unsigned at : block_order) {
    block = {at % blocks.x, at / blocks.x % blocks.y, at / blocks.x / blocks.y};
    litter(library.begin, library.end);
    engine.dynamic = std::vector<char>();  // a new heap block, of exactly this size
    engine.dynamic.assign(shared, char(0xCD));
    engine.run(entry, slots.data(), thread_order, seed % 2 == 1);
  }
}

void serve() {
  const std::string path = read_bytes(read<uint32_t>());
  alarm(kLongest);
  const auto seed = read<uint32_t>();
  std::vector<Buffer> buffers;
  const auto count = read<uint32_t>();
  for (uint32_t i = 0; i < count; ++i) {
    const auto size = read<uint64_t>();
    const auto shift = read<uint32_t>();
    const bool filled = read<uint8_t>() != 0;
    buffers.emplace_back(size, shift);
    if (filled) {
      buffers.back().given = read_bytes(size);
      if (size) memcpy(buffers.back().data(), buffers.back().given.data(), size);
    }
  }
  const auto steps = read<uint32_t>();
  for (uint32_t i = 0; i < steps; ++i) {
    const auto kind = read<uint8_t>();
    if (kind == 0) {
      launch(load(path), buffers, seed);
      continue;
    }
    Buffer& target = buffers.at(read<uint32_t>());
    if (kind == 1) {
      memset(target.data(), read<uint8_t>(), target.size);
    } else {
      const Buffer& source = buffers.at(read<uint32_t>());
      if (source.size != target.size) throw Fault("a copy between buffers of different sizes");
      if (source.size) memcpy(target.data(), source.data(), source.size);
    }
  }
  for (uint32_t i = 0; i < count; ++i) {
    if (buffers[i].given.size() && memcmp(buffers[i].given.data(), buffers[i].data(), buffers[i].size)) {
      throw Fault("input " + std::to_string(i) + " was written to");
    }
  }
  std::vector<uint32_t> wanted(read<uint32_t>());
  for (auto& at : wanted) at = read<uint32_t>();
  alarm(0);
  put<uint32_t>(0);
  for (const auto at : wanted) {
    if (buffers.at(at).size) fwrite(buffers.at(at).data(), buffers.at(at).size, 1, stdout);
  }
}

}  // namespace
}  // namespace tf2trt_host

// After a fault the fibers that wait are lost: the program says what it was and ends; the caller starts another.
int main() {
  signal(SIGALRM, [](int) {
    static const char said[] = "ERROR: a run took longer than five minutes\n";
    if (write(2, said, sizeof said - 1) < 0) _exit(5);
    _exit(4);
  });
  for (;;) {
    try {
      tf2trt_host::serve();
    } catch (const std::exception& error) {
      const std::string said = error.what();
      tf2trt_host::put<uint32_t>(uint32_t(said.size()));
      fwrite(said.data(), said.size(), 1, stdout);
      fflush(stdout);
      return 3;
    }
    fflush(stdout);
  }
}
