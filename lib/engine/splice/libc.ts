// Every libc symbol that the splice engine calls, with the constants and struct layouts of Linux on
// x86-64 and arm64. Arguments are 32-bit integers and pointers alone: with 64-bit ones V8 leaves its
// fast call path, which costs more than a short system call. size_t and ssize_t are therefore declared
// as u32 and i32; callers keep lengths below 2^31.

/** The C library by the name that glibc has on every Linux; musl has no such file. */
const LIBC = "libc.so.6";

const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  accept4: { parameters: ["i32", "pointer", "pointer", "i32"], result: "i32" },
  bind: { parameters: ["i32", "pointer", "u32"], result: "i32" },
  clock_gettime: { parameters: ["i32", "pointer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  connect: { parameters: ["i32", "pointer", "u32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "pointer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "pointer", "i32", "i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  // Variadic in C. Both ABIs pass integer arguments of variadic calls as they pass others.
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  freeaddrinfo: { parameters: ["pointer"], result: "void" },
  getaddrinfo: { parameters: ["buffer", "pointer", "buffer", "buffer"], result: "i32" },
  getsockname: { parameters: ["i32", "pointer", "pointer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "pointer", "pointer"], result: "i32" },
  if_indextoname: { parameters: ["u32", "buffer"], result: "pointer" },
  if_nametoindex: { parameters: ["buffer"], result: "u32" },
  ioctl: { parameters: ["i32", "u32", "pointer"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  pipe2: { parameters: ["pointer", "i32"], result: "i32" },
  read: { parameters: ["i32", "pointer", "u32"], result: "i32" },
  recv: { parameters: ["i32", "pointer", "u32", "i32"], result: "i32" },
  send: { parameters: ["i32", "pointer", "u32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "pointer", "u32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  splice: { parameters: ["i32", "pointer", "i32", "pointer", "u32", "u32"], result: "i32" },
  write: { parameters: ["i32", "pointer", "u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The C library, opened for one thread. */
export interface Libc {
  readonly calls: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  /**
   * The thread's errno as element 0: its address never changes while the thread lives, so reading
   * it costs no call. Meaningful only straight after a call that failed.
   */
  readonly errno: Int32Array;
  close(): void;
}

/**
 * Opens the C library for the calling thread.
 * @throws {Error} where there is no glibc, or the program may not use FFI.
 */
export function openLibc(): Libc {
  const library = Deno.dlopen(LIBC, SYMBOLS);
  const location = library.symbols.__errno_location();
  if (location === null) throw new Error(`Cannot use ${LIBC}: errno has no address`);
  return {
    calls: library.symbols,
    errno: new Int32Array(Deno.UnsafePointerView.getArrayBuffer(location, 4)),
    close: () => library.close(),
  };
}

/** The address of memory that stays where it is: a view of at least 64 bytes, or of shared memory. */
export function addressOf(view: Uint8Array | Int32Array): NonNullable<Deno.PointerValue> {
  // Small typed arrays live on V8's heap, where the collector moves them; asking for `buffer` first
  // moves the bytes out for good.
  if (view.buffer.byteLength === 0) throw new Error("Cannot take the address of an empty view");
  const pointer = Deno.UnsafePointer.of(view);
  if (pointer === null) throw new Error("Cannot take the address of a view");
  return pointer;
}

// struct epoll_event: packed on x86-64 alone (sys/epoll.h, EPOLL_PACKED). In 32-bit words:
const PACKED = Deno.build.arch === "x86_64";
export const EPOLL_EVENT_WORDS = PACKED ? 3 : 4;
/** Where the 64 bits of `data` begin; `events` is word 0. */
export const EPOLL_DATA_WORD = PACKED ? 1 : 2;

// asm-generic values; x86-64 and arm64 share them all.
export const EPOLLIN = 0x001;
export const EPOLLPRI = 0x002;
export const EPOLLOUT = 0x004;
export const EPOLLERR = 0x008;
export const EPOLLHUP = 0x010;
export const EPOLLRDHUP = 0x2000;
export const EPOLLEXCLUSIVE = 1 << 28;
export const EPOLLET = 1 << 31;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLL_CLOEXEC = 0o2000000;

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const MSG_PEEK = 2;
export const MSG_NOSIGNAL = 0x4000;
export const SHUT_WR = 1;

export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_ERROR = 4;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_RCVLOWAT = 18;
export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_USER_TIMEOUT = 18;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
/** Bytes of a socket that its peer has not acknowledged yet (tcp(7)). */
export const SIOCOUTQ = 0x5411;
/** Whether the next byte is the urgent one (sockatmark(3)). */
export const SIOCATMARK = 0x8905;

export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;

export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const F_SETPIPE_SZ = 1031;
export const F_SETFL = 4;
export const F_SETFD = 2;
export const FD_CLOEXEC = 1;
export const SPLICE_F_MOVE = 1;
export const SPLICE_F_NONBLOCK = 2;
export const EFD_NONBLOCK = 0o4000;
export const EFD_CLOEXEC = 0o2000000;

/** No errno of the kernel: stands for a backend whose name has no address. */
export const UNRESOLVED = 0;
export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const EPIPE = 32;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const EAFNOSUPPORT = 97;
export const ECONNRESET = 104;
export const ENOBUFS = 105;
export const EISCONN = 106;
export const ETIMEDOUT = 110;
export const ECONNREFUSED = 111;
export const EALREADY = 114;
export const EINPROGRESS = 115;

/** Whether an errno tells that this process or machine is short of descriptors or memory. */
export function isShortage(errno: number): boolean {
  return errno === EMFILE || errno === ENFILE || errno === ENOBUFS || errno === ENOMEM;
}

/** errno values by name, with what they mean (asm-generic/errno.h). */
const ERRNO: Readonly<Record<number, readonly [code: string, text: string]>> = {
  0: ["ENOTFOUND", "its name does not resolve"],
  1: ["EPERM", "operation not permitted"],
  2: ["ENOENT", "no such file or directory"],
  11: ["EAGAIN", "resource temporarily unavailable"],
  12: ["ENOMEM", "out of memory"],
  13: ["EACCES", "permission denied"],
  20: ["ENOTDIR", "not a directory"],
  22: ["EINVAL", "invalid argument"],
  23: ["ENFILE", "too many open files in the system"],
  24: ["EMFILE", "too many open files"],
  32: ["EPIPE", "broken pipe"],
  97: ["EAFNOSUPPORT", "address family not supported"],
  98: ["EADDRINUSE", "address already in use"],
  99: ["EADDRNOTAVAIL", "cannot assign requested address"],
  100: ["ENETDOWN", "network is down"],
  101: ["ENETUNREACH", "network is unreachable"],
  103: ["ECONNABORTED", "connection aborted"],
  104: ["ECONNRESET", "connection reset by peer"],
  105: ["ENOBUFS", "no buffer space available"],
  107: ["ENOTCONN", "not connected"],
  110: ["ETIMEDOUT", "connection timed out"],
  111: ["ECONNREFUSED", "connection refused"],
  112: ["EHOSTDOWN", "host is down"],
  113: ["EHOSTUNREACH", "no route to host"],
};

/** An error of the operating system, with the `code` that classify() reads. */
export class LibcError extends Error {
  override readonly name = "LibcError";
  readonly code: string;

  constructor(action: string, errno: number) {
    super(`${action}: ${textOf(errno)}`);
    this.code = codeOf(errno);
  }
}

/** The name of an errno value, such as "ECONNREFUSED". */
export function codeOf(errno: number): string {
  return ERRNO[errno]?.[0] ?? `errno ${errno}`;
}

/** What an errno value means, in words. */
export function textOf(errno: number): string {
  return ERRNO[errno]?.[1] ?? `errno ${errno}`;
}
