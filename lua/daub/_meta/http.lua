---@meta daub.core.http
-- C module: transfers over libcurl, one attempt per request, many at once, pulled by poll().
-- lua/daub/http.lua adds retries, rate limits and manners on top; scripts use that.
local M = {}

---@class daub.core.HttpOptions
---@field user_agent string? "daub/VERSION"
---@field ca_file string? certificates to trust (PEM) in place of the system's
---@field per_host integer? transfers at once to one origin: 4
---@field total integer? transfers at once: 32
---@field max_redirects integer? 5
---@field timeout number? seconds without a byte moving: 30
---@field total_timeout number? seconds from start to end: 600
---@field connect_timeout number? 15
---@field max_bytes integer? of one answer, after decompression: 32 MiB

---@param o daub.core.HttpOptions?
---@return daub.core.HttpSession
function M.session(o) end

---Percent-encoding of everything but A-Z a-z 0-9 - . _ ~ (RFC 3986), upper-case digits.
---@param text string
---@return string
function M.escape(text) end

---The time of an HTTP date (RFC 9110's three forms).
---@param text string
---@return number? seconds since 1970, or nothing for other text
function M.date(text) end

---@class daub.core.HttpRequest
---@field url string http or https, without user name
---@field method string? GET HEAD POST PUT PATCH DELETE; GET, or POST with a body or form
---@field headers {[1]: string, [2]: string}[]? at most 100
---@field body string?
---@field form {name: string, data: string, filename: string?, type: string?}[]? multipart/form-data
---@field file string? a 2xx body is streamed to FILE.part-PID-N and renamed when whole
---@field sync boolean? fsync file and folder
---@field unhashed boolean? leave out the result's sha256
---@field public_only boolean? refuse addresses of this machine and of local networks
---@field first boolean? before those waiting for the same origin
---@field delay number? seconds before it may start
---@field timeout number?
---@field total_timeout number?
---@field max_bytes integer?
---@field redirects "follow"|"same-host"|"none"|nil "follow": never to another scheme than http and
--- https, never from https to http, never from the public net inward; the caller's headers stay at
--- their origin, and so do requests with a body

---@class daub.core.HttpResult
---@field id integer
---@field status integer? of what came, of an error, too
---@field headers {[1]: string, [2]: string}[] names in lower case
---@field effective_url string after redirects
---@field seconds number
---@field error string? one line without query strings
---@field code string? timeout resolve connect tls cut too-large redirect address decode io network
---@field retryable boolean? of an error
---@field body string? the rest is there without an error only; "" when nothing came
---@field file string? in place of body
---@field bytes integer
---@field sha256 string? hexadecimal, of the body after decompression
---@field http_version "1.0"|"1.1"|"2"|"3"
---@field zone "loopback"|"private"|"public" of the server's address

---@class daub.core.HttpSession
local S = {}
---Queues a request. Wrong ones raise; an address that cannot be fetched is the world's failure.
---@param request daub.core.HttpRequest
---@return integer? id, string? message, string? code "url"
function S:add(request) end
---Moves transfers on for at most so many seconds, until one has ended or none is pending.
---@param seconds number?
---@return daub.core.HttpResult[]? results, string? message, string? code "interrupted"
function S:poll(seconds) end
---@return integer transfers not yet reported
function S:pending() end
---@param id integer
---@return boolean
function S:cancel(id) end
---Starts nothing to the origin of `url` for so many seconds; the last call counts.
---@param url string
---@param seconds number
---@return true?, string? message, string? code
function S:hold(url, seconds) end
---At most so many transfers at once to the origin of `url`, from now on.
---@param url string
---@param most integer
---@return true?, string? message, string? code
function S:cap(url, most) end
---Drops everything; partial files are removed.
function S:close() end

return M
