-- print(tensor): an excerpt people can read, then shape and dtype.
local A = require "daub.core.array"
local class = require "daub.tensor.class"
local options = require "daub.options"

local edge = 3           -- elements shown at either end of a long dimension
local shown_whole = 1000 -- tensors up to this many elements are shown whole

-- The indices of a dimension that are shown; 0 stands for the dots.
local function picks(n, whole)
  local list = {}
  for i = 1, n do
    if whole or n <= 2 * edge or i <= edge or i > n - edge then
      list[#list + 1] = i
    elseif list[#list] ~= 0 then
      list[#list + 1] = 0
    end
  end
  return list
end

local function collect(array, depth, picked, values)
  if depth > #picked then
    values[#values + 1] = A.item(array)
    return values[#values]
  end
  local rows = {}
  for k, i in ipairs(picked[depth]) do
    rows[k] = i > 0 and collect(A.select(array, 1, i), depth + 1, picked, values) or "…"
  end
  return rows
end

-- One number format for all: whole numbers, or four places, or an exponent where those lose too
-- much.
local function formatter(values)
  local whole, largest, smallest = true, 0, math.huge
  for _, v in ipairs(values) do
    local size = math.abs(v)
    if v == v and size < math.huge then
      whole = whole and v % 1 == 0
      largest = math.max(largest, size)
      if size > 0 then smallest = math.min(smallest, size) end
    end
  end
  local form = "%.4f"
  if whole and largest < 1e15 then form = "%.0f"
  elseif largest >= 1e5 or (smallest < 1e-4 and largest < 1e-2) then form = "%.4e" end
  local width = 0
  for _, v in ipairs(values) do width = math.max(width, #form:format(v)) end
  return function(v)
    return (" "):rep(width - #form:format(v)) .. form:format(v)
  end
end

local function render(rows, depth, ndim, format)
  if type(rows) == "number" then return format(rows) end
  local parts = {}
  for i, row in ipairs(rows) do
    parts[i] = row == "…" and row or render(row, depth + 1, ndim, format)
  end
  local joint = depth == ndim and ", " or "," .. ("\n"):rep(ndim - depth) .. (" "):rep(depth)
  return "[" .. table.concat(parts, joint) .. "]"
end

function class.Tensor.__tostring(x)
  local shape, picked = x.shape, {}
  local whole = x:numel() <= shown_whole
  for d, n in ipairs(shape) do picked[d] = picks(n, whole) end
  local values = {}
  local rows = collect(x.array, 1, picked, values)
  local text = render(rows, 1, #shape, formatter(values))
  local facts = ("tensor %s %s"):format(options.shape(shape), x.dtype)
  if x.node then facts = facts .. ", made by " .. x.node.name
  elseif x.requires_grad then facts = facts .. ", requires grad" end
  return text .. "\n" .. facts
end
