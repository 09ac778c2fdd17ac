-- Texts that nobody may see: tokens, passwords. Who reads one from somewhere adds it here, and what
-- is shown or written goes through `redact`. From the first on, the process leaves no core dump.
--
--     secrets.add(token)
--     print(secrets.redact("401 for Bearer abc123"))     -- 401 for Bearer …
local system = require "daub.core.system"

local M = {}

local SHORTEST = 6 -- bytes; what is shorter would redact innocent words

local known, list = {}, {}

---@param text any  anything but a string of some length is passed over
function M.add(text)
  if type(text) ~= "string" or #text < SHORTEST or known[text] then return end
  if #list == 0 then system.no_dumps() end
  known[text] = true
  list[#list + 1] = text
  table.sort(list, function(a, b) return #a > #b end) -- one may be part of another
end

---The text with every known secret replaced by "…".
---@param text string
---@return string
function M.redact(text)
  for _, secret in ipairs(list) do
    local from = 1
    while true do
      local first, last = text:find(secret, from, true)
      if not first then break end
      text = text:sub(1, first - 1) .. "…" .. text:sub(last + 1)
      from = first + #"…"
    end
  end
  return text
end

return M
