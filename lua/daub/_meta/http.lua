---@meta daub.core.http
-- C module: transfers over libcurl multi. One session, many transfers, pulled by poll(). lua/daub/http.lua adds retries,
-- rate limits and manners on top; this module does one attempt per request.
local M = {}

-- o: user_agent, per_host (connections per host, default 4), total (default 32), timeout (seconds without progress, 30),
-- total_timeout, connect_timeout, max_bytes (default 32 MiB), max_redirects (5)
function M.session(o) end

---@class daub.core.HttpSession
local S = {}
-- request: url, method, headers {{name, value}, …}, body (string), form (multipart parts {name,filename,type,data}),
-- file (path: streamed to path.part-XXXX, renamed when whole), max_bytes, timeout, redirects ("follow"|"same-host"|"none")
-- Only http and https, also after redirects. Returns an id; wrong requests raise.
function S:add(request) end
-- Waits up to `seconds` for something to end: list of {id, status, headers (list of {name,value}), body | file, bytes,
-- sha256 (hex, of what was received), effective_url, http_version, seconds} or {id, error = message, code, retryable = bool}
function S:poll(seconds) end
function S:pending() end   -- transfers not yet reported
function S:cancel(id) end
function S:close() end     -- drops everything; partial files are removed
function M.escape(text) end -- percent-encoding, RFC 3986

return M
