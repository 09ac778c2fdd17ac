-- The nearest of several names to a mistyped one.

local M = {}

---Letters to insert, drop, replace or swap to make b of a.
---@param a string
---@param b string
---@return integer
function M.distance(a, b)
  local before, row = {}, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local older = before
    before, row = row, { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      local best = math.min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        best = math.min(best, older[j - 2] + 1)
      end
      row[j] = best
    end
  end
  return row[#b]
end

---The name of the list that is likely meant by `name`, or nil when none is near.
---@param name string
---@param names string[]
---@return string?
function M.of(name, names)
  local best, least
  for _, candidate in ipairs(names) do
    local distance = M.distance(name:lower(), candidate:lower())
    if #name >= 3 and candidate:sub(1, #name) == name then distance = math.min(distance, 1) end
    if not least or distance < least then best, least = candidate, distance end
  end
  if least and least <= math.max(1, math.floor(#name / 3)) then return best end
end

---" (did you mean NAME?)" or an empty string: to end an error message with.
---@param name string
---@param names string[]
---@param prefix string? put before the name, as "--"
---@return string
function M.hint(name, names, prefix)
  local best = M.of(name, names)
  return best and (" (did you mean %s%s?)"):format(prefix or "", best) or ""
end

return M
