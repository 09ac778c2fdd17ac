-- Signing requests with OAuth 1.0a (RFC 5849, HMAC-SHA1), as X's API and Tumblr's want it.
--
--   local headers = { Authorization = oauth1.header("GET", url, {
--     consumer_key = "…", consumer_secret = "…", token = "…", token_secret = "…" }) }
--
-- What is signed are the method, the address with its query, and the fields of a body of type
-- application/x-www-form-urlencoded; of a body of any other type nothing.
local http = require "daub.http"
local system = require "daub.core.system"

local M = {}

---@class daub.oauth1.Credentials
---@field consumer_key string     of the app
---@field consumer_secret string
---@field token string?           of the person, or the one that becomes theirs
---@field token_secret string?

---@class daub.oauth1.Options
---@field fields table<string, string>?  of an urlencoded body
---@field extra table<string, string>?   further oauth_ parameters: oauth_callback, oauth_verifier
---@field time integer?                  seconds since 1970; now unless given
---@field nonce string?                  random unless given
---@field version string|false|nil       "1.0"; false leaves oauth_version out

-- RFC 5849, 3.4.1.2: no query, no default port, scheme and host in lower case.
local function base_address(url)
  local scheme, host, path = url:match("^(%a+)://([^/?#]+)([^?#]*)")
  if not scheme then error("oauth1: not an address: " .. url, 3) end
  scheme, host = scheme:lower(), host:lower()
  local port = scheme == "https" and ":443$" or ":80$"
  return scheme .. "://" .. host:gsub(port, "") .. (path == "" and "/" or path)
end

local function add_fields(list, fields)
  for name, value in pairs(fields or {}) do
    list[#list + 1] = { http.escape(name), http.escape(tostring(value)) }
  end
end

-- RFC 5849, 3.4.1.3: every parameter encoded, sorted by name and then by value.
local function normalised(url, fields, oauth)
  local list = {}
  for part in (url:match("%?([^#]*)") or ""):gmatch("[^&]+") do
    local name, value = part:match("^([^=]*)=?(.*)$")
    list[#list + 1] = { http.escape(http.unescape(name)), http.escape(http.unescape(value)) }
  end
  add_fields(list, fields)
  add_fields(list, oauth)
  table.sort(list, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  for i, pair in ipairs(list) do list[i] = pair[1] .. "=" .. pair[2] end
  return table.concat(list, "&")
end

---What is signed (RFC 5849, 3.4.1.1).
---@param method string
---@param url string
---@param parameters {fields: table<string, string>?, oauth: table<string, string>}
---@return string
function M.base_string(method, url, parameters)
  return table.concat({ method:upper(), http.escape(base_address(url)),
    http.escape(normalised(url, parameters.fields, parameters.oauth)) }, "&")
end

---@param text string of M.base_string
---@param credentials daub.oauth1.Credentials
---@return string
function M.signature(text, credentials)
  local key = http.escape(credentials.consumer_secret) .. "&"
    .. http.escape(credentials.token_secret or "")
  return system.base64(system.hmac_sha1(key, text))
end

local function nonce()
  return (system.base64(system.random_bytes(24)):gsub("%W", ""))
end

---The value of the Authorization header.
---@param method string
---@param url string      with its query
---@param credentials daub.oauth1.Credentials
---@param o daub.oauth1.Options?
---@return string
function M.header(method, url, credentials, o)
  o = o or {}
  local oauth = {
    oauth_consumer_key = credentials.consumer_key,
    oauth_nonce = o.nonce or nonce(),
    oauth_signature_method = "HMAC-SHA1",
    oauth_timestamp = ("%.0f"):format(o.time or math.floor(system.time())),
    oauth_token = credentials.token,
  }
  if o.version ~= false then oauth.oauth_version = o.version or "1.0" end
  for name, value in pairs(o.extra or {}) do oauth[name] = value end
  oauth.oauth_signature = M.signature(
    M.base_string(method, url, { fields = o.fields, oauth = oauth }), credentials)
  local parts = {}
  for name, value in pairs(oauth) do
    parts[#parts + 1] = ('%s="%s"'):format(http.escape(name), http.escape(value))
  end
  table.sort(parts)
  return "OAuth " .. table.concat(parts, ", ")
end

return M
