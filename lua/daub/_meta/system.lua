---@meta daub.core.system
-- C module: what scripts need of the system beyond Lua's own library.
-- Failures of the world return nil, message, code ("io", "interrupted", "timeout"); misuse raises.
local M = {}

---@return string "0.1.0"
function M.version() end

---@class daub.core.Info
---@field version string
---@field isa string instruction set of the kernels
---@field bf16 boolean whether daub.precision "bf16" is possible
---@field threads integer in use
---@field cores integer this process may run on
---@field blas string name and version
---@field blas_core string core type OpenBLAS chose
---@field libraries table<string, string> name = version
---@return daub.core.Info
function M.info() end

---Threads computing is spread over; sets their number (1 … 64) when given.
---@param n integer?
---@return integer
function M.threads(n) end

---Bytes behind arrays: in_use now, cached for reuse, peak of in_use; system_calls: blocks asked of the
---system. peak_rss: bytes of memory the program had at most.
---@return {in_use: number, cached: number, peak: number, system_calls: number, peak_rss: number}
function M.memory() end

---Gives cached blocks back to the system.
function M.trim() end

---@return number seconds of a clock that never goes back
function M.now() end
---@return number seconds since 1970, with fraction
function M.time() end
---@return number CPU seconds of the process, all threads
function M.cpu_time() end

---@param seconds number
---@return boolean false when Ctrl-C came
function M.sleep(seconds) end

---@return boolean Ctrl-C (or SIGTERM) came, held or not
function M.interrupted() end
---true: Ctrl-C only sets the flag, no operation is cut short; false: undoes one true, and raises
---"interrupted" if Ctrl-C came meanwhile. Nests.
---@param hold boolean
function M.hold_interrupts(hold) end

---@param fd integer 0, 1 or 2
---@return boolean
function M.isatty(fd) end
---@return integer? columns nil without a terminal
---@return integer? rows
function M.terminal_size() end

-- Files ----------------------------------------------------------------------------------------------

---Atomically: temporary file beside, sync, rename. The file is whole or as it was.
---@param path string
---@param bytes string|string[] a list is written piece by piece
---@return true?, string? message, string? code
function M.write_file(path, bytes) end
---@param path string
---@param max_bytes number? a longer file is a failure
---@return string?, string? message, string? code
function M.read_file(path, max_bytes) end
---With parents; fine when it exists.
---@param path string
---@return true?, string? message, string? code
function M.make_directory(path) end
---@param path string
---@return string[]? names sorted, without . and .., string? message, string? code
function M.list_directory(path) end
---Links are not followed.
---@param path string
---@return {type: "file"|"directory"|"link"|"other", size: number, mtime: number, mode: integer}?
---@return string? message
---@return string? code
function M.stat(path) end
---@param path string
---@param mode integer permission bits
---@return true?, string? message, string? code
function M.chmod(path, mode) end
---A file, a link or an empty folder.
---@param path string
---@return true?, string? message, string? code
function M.remove(path) end
---@param from string
---@param to string replaced when it exists
---@return true?, string? message, string? code
function M.rename(from, to) end
---Absolute, without links. The path must exist.
---@param path string
---@return string?, string? message, string? code
function M.realpath(path) end
---Taken until close() or the end of the process, however it ends.
---@param path string made when it is missing; never removed
---@return daub.core.Lock?, string? message "PATH: locked by process N", string? code
function M.lock_file(path) end
---A new empty folder below $TMPDIR or /tmp; the caller removes it.
---@param prefix string? "daub"
---@return string?, string? message, string? code
function M.temporary_directory(prefix) end

---@class daub.core.Lock
local Lock = {}
function Lock:close() end

-- Hashes ---------------------------------------------------------------------------------------------

---@param bytes string
---@return string hex
function M.sha256(bytes) end
---@param path string
---@return string? hex, string? message, string? code
function M.sha256_file(path) end
---From now on the process leaves no core dump and nobody else's debugger in: it holds secrets.
function M.no_dumps() end
---@param key string
---@param bytes string
---@return string raw 20 bytes
function M.hmac_sha1(key, bytes) end
---@param bytes string
---@return string
function M.base64(bytes) end
---Unpacks a raw deflate stream (RFC 1951) that holds exactly `size` bytes of that CRC-32.
---@param packed string
---@param size integer less than 2^30
---@param crc integer
---@return string? bytes, string? message, string? code "decode"
function M.inflate(packed, size, crc) end
---CRC-32, as in zip files.
---@param bytes string
---@return integer
function M.crc32(bytes) end
---From the system's generator; for keys and nonces, not for reproducible work.
---@param n integer 0 … 256
---@return string
function M.random_bytes(n) end

-- Processes ------------------------------------------------------------------------------------------

---Starts a program found along PATH; no shell. Streams are inherited unless given as "pipe", "null" or
---a path (stderr also "stdout"). A process still running when its handle is collected or the host
---ends is told to end, and killed after two seconds.
---@param argv string[] program and arguments
---@param o {stdin: string?, stdout: string?, stderr: string?, directory: string?}?
---@return daub.core.Process?, string? message, string? code
function M.spawn(argv, o) end

---@class daub.core.Process
local Process = {}
---@return integer
function Process:pid() end
---@param seconds number? for ever unless given
---@return integer? code exit status, or 128 + signal; string? message, string? code "timeout"
function Process:wait(seconds) end
---@param signal "term"|"kill"|"int"|"hup"|"stop"|"cont"|"usr1"|nil "term" unless given
---@return true?, string? message, string? code
function Process:kill(signal) end
---Some bytes of its standard output as soon as there are any; nil at the end.
---@param seconds number?
---@return string?, string? message, string? code
function Process:read(seconds) end
---The same of its standard error.
---@param seconds number?
---@return string?, string? message, string? code
function Process:read_error(seconds) end
---@param bytes string
---@return true?, string? message, string? code
function Process:write(bytes) end
function Process:close_stdin() end
---Closes the pipes and ends the process.
function Process:close() end

return M
