-- Asking a network's API on its owner's behalf: one request, its JSON answer, and of a refusal the
-- word the API has for it.
local secrets = require "daub.secrets"

local M = {}

-- {"error": "ExpiredToken"}, {"error": {"code": "NO_SUCH_USER"}}
local function word_of(refusal)
  local said = refusal and refusal.body and refusal.json()
  local word = type(said) == "table" and said.error
  if type(word) == "table" then word = word.code end
  return type(word) == "string" and word or nil
end

---@param http daub.http.Session
---@param request table  as for daub.http
---@return table|nil answer, string|daub.http.Result message_or_result, string? code, string? word
--- code: "http-401" … of refusals
function M.json(http, request)
  request.redirects = "same-host" -- tokens go to nobody else
  local result, message, code, refusal = http:request(request)
  if not result then
    if code == "http" and refusal then code = "http-" .. refusal.status end
    return nil, message, code, word_of(refusal)
  end
  if result.body == "" then return {}, result end
  local answer
  answer, message = result.json()
  if type(answer) ~= "table" then
    return nil, (message or "something other than an object came")
      .. " (is this the right server?)", "format"
  end
  return answer, result
end

---A token a server gave, if it can be sent back in a header; from then on it is shown nowhere.
---@param value any
---@return string|nil
function M.token(value)
  if type(value) ~= "string" or not value:match("^[!-~]+$") or #value > 8192 then return nil end
  secrets.add(value)
  return value
end

---What an OAuth endpoint takes as body (RFC 6749, 4.1.3).
---@param fields table<string, string>
---@return string body, table<string, string> headers
function M.urlencoded(fields)
  return require("daub.http").query(fields),
    { ["Content-Type"] = "application/x-www-form-urlencoded" }
end

return M
