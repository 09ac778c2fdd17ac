---@meta daub.core.system
-- C module: what scripts need of the system beyond Lua's own library.
local M = {}

function M.version() end
function M.info() end             -- {version, isa, threads, cores, blas, blas_core, libraries = {name = version}}
function M.threads(n) end         -- sets when given; returns the number in use
function M.memory() end           -- {in_use, cached, peak, system_calls} bytes; peak_rss
function M.trim() end
function M.now() end              -- monotonic seconds
function M.time() end             -- seconds since 1970 with fraction
function M.cpu_time() end         -- process CPU seconds
function M.sleep(seconds) end     -- false when interrupted
function M.interrupted() end      -- Ctrl-C pending
function M.hold_interrupts(hold) end -- true: operations are no longer cut short; false: undo. Nests.
function M.isatty(fd) end
function M.terminal_size() end    -- columns, rows | nil

-- files: failures return nil, message, "io"
function M.write_file(path, bytes) end   -- atomically: temporary file beside, fsync, rename
function M.read_file(path, max_bytes) end
function M.make_directory(path) end      -- with parents; true when it exists
function M.list_directory(path) end      -- sorted names without . and ..
function M.stat(path) end                -- {type = "file"|"directory"|"link"|"other", size, mtime, mode} | nil, …
function M.remove(path) end
function M.rename(from, to) end
function M.realpath(path) end
function M.lock_file(path) end           -- handle with :close(), or nil, "locked by process N"
function M.temporary_directory(prefix) end

function M.sha256(bytes) end             -- hex
function M.sha256_file(path) end
function M.hmac_sha1(key, bytes) end     -- raw
function M.base64(bytes) end
function M.random_bytes(n) end           -- from the system
function M.spawn(argv, o) end            -- o: stdin, stdout ("pipe"|"null"|path); -> process with :wait() :kill(sig) :read()

return M
