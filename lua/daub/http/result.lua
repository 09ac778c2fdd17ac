-- An answer as scripts see it, and the one line that tells why one is a failure.
local secrets = require "daub.secrets"

local M = {}

local REASONS = {
  [400] = "Bad Request", [401] = "Unauthorized", [402] = "Payment Required", [403] = "Forbidden",
  [404] = "Not Found", [405] = "Method Not Allowed", [406] = "Not Acceptable",
  [408] = "Request Timeout", [409] = "Conflict", [410] = "Gone", [413] = "Content Too Large",
  [415] = "Unsupported Media Type", [422] = "Unprocessable Content", [429] = "Too Many Requests",
  [451] = "Unavailable For Legal Reasons", [500] = "Internal Server Error",
  [501] = "Not Implemented", [502] = "Bad Gateway", [503] = "Service Unavailable",
  [504] = "Gateway Timeout",
}

---@class daub.http.Result
---@field id integer what add returned
---@field request table what was asked
---@field method string
---@field status integer|nil 200, 304, 404 …; nil when no answer came
---@field headers table<string, string> names in lower case; repeated ones joined by ", "
---@field body string|nil nil when it went to a file
---@field file string|nil
---@field bytes integer of the body, after decompression
---@field sha256 string|nil of the body, hexadecimal; nil when it was not wanted
---@field url string where the answer came from, after redirects
---@field etag string|nil to ask again with
---@field last_modified string|nil to ask again with
---@field not_modified boolean 304: what etag or last_modified named is still current
---@field zone "public"|"private"|"loopback" of the server's address
---@field http_version string
---@field seconds number of the last attempt
---@field attempts integer
---@field error string|nil one line, nil for a success
--- of an error: http (a refusal), rate-limit, timeout, resolve, connect, tls, cut, too-large,
--- redirect, address, decode, io, network, memory or url
---@field code string|nil
---@field retryable boolean|nil
---@field json fun(): any, string?, string? the body as JSON; nil, message, "decode" when it is none

--- A URL as messages show it: without query, where tokens travel.
---@param url string
---@return string
function M.shown(url)
  return (url:gsub("[?#].*$", ""):gsub("^(%w+://)[^/]*@", "%1"))
end

-- One line for people: short, and without what may be a token.
local function clean(text)
  text = secrets.redact(text):sub(1, 400):gsub("[%c%s]+", " "):gsub("^ ", ""):gsub(" $", "")
  text = text:gsub("[Bb]earer%s+%S+", "Bearer …"):gsub("([%w_]*[Tt]oken%s*[=:]%s*)[^%s&,;]+", "%1…")
  return #text > 200 and text:sub(1, 197) .. "…" or text
end

-- The title of an HTML page, or true for a page without one, or nil for something else. What looks
-- like JSON is none, whatever it is labelled.
local function html_title(result)
  local body = result.body or ""
  if body:find("^%s*[{%[]") then return nil end
  local kind = result.headers["content-type"] or ""
  local start = body:sub(1, 512):lower()
  if not kind:find("text/html", 1, true) and not start:find("^%s*<!doctype html")
    and not start:find("^%s*<html") then
    return nil
  end
  local title = body:sub(1, 4096):match("<[Tt][Ii][Tt][Ll][Ee][^>]*>(.-)</")
  return title and clean(title) ~= "" and clean(title) or true
end

local function page(title)
  return title == true and "an HTML page" or ("an HTML page, \"%s\""):format(title)
end

-- What the server itself says about its refusal: a JSON error's words, or a page's title.
local function server_words(result)
  local title = html_title(result)
  if title then return page(title) end
  local body = result.body
  if not body or #body > 65536 or not body:find("^%s*[{%[]") then return nil end
  local answer = require("daub.json").decode(body)
  if type(answer) ~= "table" then return nil end
  local first = type(answer.errors) == "table" and answer.errors[1]
  local source = type(first) == "table" and first or answer
  local words, seen = {}, {}
  for _, name in ipairs { "error", "title", "message", "detail", "error_description" } do
    local value = source[name]
    if type(value) == "table" then value = value.message end
    if type(value) == "string" and value ~= "" and not seen[value] then
      seen[value] = true
      words[#words + 1] = clean(value)
    end
  end
  return words[1] and clean(table.concat(words, ": "))
end

--- The one line of an answer that is a refusal.
---@param result daub.http.Result
---@return string
function M.refusal(result)
  local text = ("%s %s: %d"):format(result.method, M.shown(result.url), result.status)
  if REASONS[result.status] then text = text .. " " .. REASONS[result.status] end
  local words = server_words(result)
  return words and ("%s (%s)"):format(text, words) or text
end

local function decode(result)
  local text = result.body
  if not text then return nil, M.shown(result.url) .. ": the answer went to a file", "decode" end
  local title = html_title(result)
  local value, message, code
  if not title then
    value, message, code = require("daub.json").decode(text)
    if message == nil then return value end
  end
  local what = title and page(title) or text:find("%S") and "something else" or "nothing"
  message = ("%s: %s came where JSON was expected"):format(M.shown(result.url), what)
  return nil, message, code or "decode"
end

--- The core's answer to a job (id, request, core) as a result.
---@return daub.http.Result
function M.new(answer, job)
  local headers = {}
  for _, pair in ipairs(answer.headers or {}) do
    local name, value = pair[1], pair[2]
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  local result = {
    id = job.id, request = job.request, method = job.core.method, status = answer.status,
    headers = headers, body = answer.body, file = answer.file, bytes = answer.bytes,
    sha256 = answer.sha256, url = answer.effective_url or job.core.url, zone = answer.zone,
    http_version = answer.http_version, seconds = answer.seconds, error = answer.error,
    code = answer.code, retryable = answer.retryable, etag = headers.etag,
    last_modified = headers["last-modified"], not_modified = answer.status == 304,
  }
  function result.json() return decode(result) end
  return result
end

return M
