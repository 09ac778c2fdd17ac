-- What a person reads of measured distances.
--
--     local lines = words.table({ found })                   -- one set of paintings
--     local lines = words.table({ found, other }, { "runs/a", "runs/b" })
local progress = require "daub.progress"

local M = {}

-- Whether more is better; swd and its levels are not named.
local MORE = { coverage = true, ["coverage.fine"] = true, ["coverage.thumbnails"] = true,
  density = true, diversity = true }

local function shown(x)
  return math.abs(x) >= 100 and ("%.0f"):format(x) or ("%.3g"):format(x)
end

-- How many times the floor; nothing where the floor is 0.
local function times(entry)
  return entry.floor ~= 0 and ("%.2f"):format(entry.value / entry.floor) or "-"
end

local function share(entry) -- of what can be reached
  return MORE[entry.metric] and entry.value / entry.floor or entry.floor / entry.value
end

-- Tests, whose values are no race; and what is best when it is as real covers have it.
local RACELESS = { copying = true, ["copying.distance"] = true }
local ALIKE = { density = true, diversity = true }

local function of_copying(entry)
  if entry.value < -3 then
    return entry.metric == "copying" and "copies of training covers"
      or "nearer to training covers than fresh ones are"
  end
  return entry.value > 3 and "no copying, farther off than fresh covers" or "no copying"
end

---What the value of one metric means, in a few words.
---@param entry daub.measure.Entry
---@return string
function M.meaning(entry)
  if RACELESS[entry.metric] then return of_copying(entry) end
  if entry.metric:find("^kid") and entry.value <= entry.floor then return "as real covers" end
  local reached = share(entry)
  if entry.metric == "density" and reached > 1.25 then return "crowded where covers are common" end
  if reached >= 0.95 then return "as real covers" end
  if reached >= 0.75 then return "nearly as real covers" end
  if reached >= 0.4 then return "can be told from real covers" end
  return entry.metric == "diversity" and "much the same picture again and again"
    or "far from real covers"
end

-- How bad a value is, in its metric's units.
local function badness(entry)
  if ALIKE[entry.metric] then return math.abs(entry.value - entry.floor) end
  return MORE[entry.metric] and -entry.value or entry.value
end

-- Which of two leads, by more than sets of real covers differ by chance (two standard deviations of
-- a difference): "even" where none does, nothing in tests.
local function leader(a, b, names)
  if RACELESS[a.metric] then return "" end
  local ahead = badness(b) - badness(a)
  if math.abs(ahead) <= 2 * math.sqrt(a.spread ^ 2 + b.spread ^ 2) then return "even" end
  return names[ahead > 0 and 1 or 2]
end

local function aligned(rows)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, progress.width(cell)) end
  end
  for _, row in ipairs(rows) do
    local line = ""
    for i, cell in ipairs(row) do
      local gap = (" "):rep(widths[i] - progress.width(cell))
      local left = i == 1 or i == #row -- numbers stand to the right
      line = line .. (i > 1 and "  " or "") .. (left and cell .. gap or gap .. cell)
    end
    lines[#lines + 1] = line:gsub("%s+$", "")
  end
  return lines
end

---A table of one or two sets of paintings measured against the same reference.
---@param measured daub.measure.Entry[][] one or two
---@param names? string[] of two
---@return string[] lines
function M.table(measured, names)
  local a, b = measured[1], measured[2]
  local rows = { b and { "", names[1], names[2], "floor", "leads" }
    or { "", "painted", "floor", "times", "" } }
  for i, entry in ipairs(a) do
    if b then
      rows[i + 1] = { entry.metric, shown(entry.value), shown(b[i].value), shown(entry.floor),
        leader(entry, b[i], names) }
    else
      rows[i + 1] = { entry.metric, shown(entry.value), shown(entry.floor), times(entry),
        M.meaning(entry) }
    end
  end
  return aligned(rows)
end

return M
