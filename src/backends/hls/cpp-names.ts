// Names in the emitted C++: unique without regard to case, and never a macro or a type of the standard headers.

/** Macros of the C and C++ headers that are not all capitals; names of only capitals are put in lower case instead. */
const macros = [
  "assert errno stdin stdout stderr offsetof alloca issubnormal math_errhandling ap_bigint ap_biguint be16toh be32toh be64toh",
  "htobe16 htobe32 htobe64 htole16 htole32 htole64 le16toh le32toh le64toh strdupa strndupa sched_priority l_tmpnam l_ctermid",
  "l_cuserid p_tmpdir",
].join(" ");

/** Types that the same headers declare; `<layer>_t` must not meet them. */
const types = [
  "blkcnt64 blkcnt blksize caddr clock clockid comparison_fn cookie_close_function cookie_io_functions cookie_read_function",
  "cookie_seek_function cookie_write_function cpu_set daddr dev div double error femode fenv fexcept float fpos64 fpos fsblkcnt64",
  "fsblkcnt fsfilcnt64 fsfilcnt fsid gid id imaxdiv ino64 ino int16 int32 int64 int8 int_fast16 int_fast32 int_fast64 int_fast8",
  "int_least16 int_least32 int_least64 int_least8 intmax intptr key ldiv lldiv locale loff max_align mbstate mode nlink nullptr",
  "off64 off pid pthread_attr pthread_barrier pthread_barrierattr pthread_cond pthread_condattr pthread_key pthread_mutex",
  "pthread_mutexattr pthread_once pthread_rwlock pthread_rwlockattr pthread_spinlock pthread ptrdiff quad register sigset size",
  "ssize suseconds time timer u_int16 u_int32 u_int64 u_int8 u_quad uid uint16 uint32 uint64 uint8 uint_fast16 uint_fast32",
  "uint_fast64 uint_fast8 uint_least16 uint_least32 uint_least64 uint_least8 uintmax uintptr useconds wchar wctrans wctype wint",
  "rsize errno char16 char32 char8",
].join(" ");

/** Hands out the names of one translation unit. */
export class CppNames {
  private readonly taken = new Set([
    ...macros.split(" "),
    ...types.split(" ").map((t) => `${t}_t`),
    "from_mantissa",
    "from_words",
    "mantissa_t",
  ]);

  /** A port or function of the user's, spelled as given where C++ allows. */
  port(name: string): string {
    return this.unique(/[a-z]/.test(name) ? name : name.toLowerCase());
  }
  /** A name that the emitter makes up; a number is added where it is taken. */
  unique(base: string): string {
    let name = base;
    for (let i = 2; this.taken.has(name.toLowerCase()); i++) name = `${base}_${i}`;
    this.taken.add(name.toLowerCase());
    return name;
  }
}
