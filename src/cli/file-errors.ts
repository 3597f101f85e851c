// Errors of the operating system in words.

const words: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EBUSY: "it is in use",
  EDQUOT: "the disk quota is exceeded",
  EEXIST: "it exists already",
  EFBIG: "it is too large",
  EIO: "the device reports an error",
  EISDIR: "it is a folder",
  ELOOP: "its symbolic links form a loop",
  EMFILE: "too many files are open",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "there is no such file or folder",
  ENOSPC: "the disk is full",
  ENOTDIR: "a part of the path is not a folder",
  ENOTEMPTY: "the folder is not empty",
  EPERM: "the operation is not permitted",
  EROFS: "the file system is read-only",
  EXDEV: "it lies on another device",
  ERR_INVALID_ARG_VALUE: "the name holds a character that no file name can",
};

/** The system's code of an error, such as ENOENT, or undefined where it is none. */
export const systemCode = (e: unknown): string | undefined =>
  typeof e === "object" &&
  e !== null &&
  "code" in e &&
  typeof e.code === "string" &&
  (Object.hasOwn(words, e.code) || /^E[A-Z0-9]+$/.test(e.code))
    ? e.code
    : undefined;

/** What went wrong, without paths; an error that the system did not raise is a bug and goes on. */
export function systemReason(e: unknown): string {
  const code = systemCode(e);
  if (code === undefined) throw e;
  return words[code] ?? code;
}
