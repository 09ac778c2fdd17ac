-- HTTP for scripts: one page, or thousands of pictures, politely.
--
--     local http = require "daub.http"
--     local page, message = http.get("https://example.org/", {timeout = 10})
--     if page then print(page.status, #page.body) else print(message) end
--
--     local session = http.session{per_host = 4, on_wait = function(host, left, why) … end}
--     session:get_many(urls, function(r) print(r.url, r.error or r.sha256) end)
--
-- Only http and https, certificates verified, sizes capped after decompression, redirects checked,
-- proxies from the environment. Failures that may pass (429, 408, 5xx, connections) are tried again
-- with a growing random delay, and what servers say about rate limits is followed: see
-- daub.http.limits.
local core = require "daub.core.http"
local Session = require "daub.http.session"

local M = {}

--- A session of its own: its connections, caps and memory of rate limits.
---
--- Options: `user_agent`; `per_host` 4 and `total` 32 transfers at once; `timeout` 30 seconds
--- without a byte, `total_timeout` 600, `connect_timeout` 15; `max_bytes` 32 MiB of one answer;
--- `max_redirects` 5; `ca_file` (PEM) in place of the system's certificates; `retries` 4 after the
--- first attempt, delayed by up to `backoff` 0.5 seconds, doubling, at most `max_backoff` 30;
--- `max_wait` 1200 seconds a request may spend waiting for rate limits; `on_limit` "wait" or "stop"
--- (a rate limit then is a failure at once); `on_wait(host, seconds_left, reason)`, called once a
--- second while a host is waited for, and with 0 when that is over.
---
--- Requests (`add`, `request`, `get`, `get_many`) have `url`, and may have `method`; `headers`
--- {Name = value}, or a function that gives them anew for each attempt from the time it is sent at
--- (signatures hold it); one of `body`, `json` (a value to send as JSON) and `form` (a list of
--- {name =, data =, filename =, type =}); `file` (a 2xx answer goes there, under that name only
--- when whole) and `sync` (fsync it first); `unhashed` (no sha256 in the result); `etag`,
--- `last_modified` (from an earlier result: then `not_modified` may come); `redirects` "follow",
--- "same-host" or "none"; `public_only` (refuse this machine and local networks); `timeout`,
--- `total_timeout`, `max_bytes`, `retries`; `safe` (it changes nothing at the server: a POST may be
--- tried again, too); and `tag`, which is the caller's.
---@param o table|nil
---@return daub.http.Session
function M.session(o)
  return Session.new(o)
end

local shared

--- One request over a session shared by all callers of this function.
---@param url string
---@param o table|nil the other fields of a request
---@return daub.http.Result|nil result, string? message, string? code, daub.http.Result? refusal
function M.get(url, o)
  shared = shared or Session.new {}
  return shared:get(url, o)
end

--- Percent-encoding of everything but A-Z a-z 0-9 - . _ ~ (RFC 3986).
---@param text string
---@return string
M.escape = core.escape

--- The text of what was percent-encoded in a query or form, where "+" is a space.
---@param text string
---@return string
function M.unescape(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

--- The fields of "a=1&b=x%20y"; of equal names the last counts.
---@param text string
---@return table<string, string>
function M.fields(text)
  local fields = {}
  for name, value in text:gmatch("([^&=]+)=([^&]*)") do
    fields[M.unescape(name)] = M.unescape(value)
  end
  return fields
end

--- "a=1&b=x%20y" of {a = 1, b = "x y"}: sorted by name; a list as value repeats the name.
---@param fields table<string, string|number|boolean|list>
---@return string
function M.query(fields)
  local names, parts = {}, {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local values = fields[name]
    if type(values) ~= "table" then values = { values } end
    for _, value in ipairs(values) do
      local text = type(value) == "number" and ("%.14g"):format(value) or tostring(value)
      parts[#parts + 1] = core.escape(name) .. "=" .. core.escape(text)
    end
  end
  return table.concat(parts, "&")
end

return M
