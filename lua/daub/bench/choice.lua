-- What the choice between direct and Winograd's convolution should go by on this machine: both are
-- timed over many shapes, and the two costs of the table in src/conv/choice.c are fitted to that.
local A = require "daub.core.array"
local C = require "daub.core.conv"
local system = require "daub.core.system"

local M = {}

local ROUNDS = 5
local WORK = 4e8  -- multiply-adds of a direct convolution, about
local MOST = 2e7  -- numbers of its pictures

local kinds = { { kernel = 3, stride = 1 }, { kernel = 4, stride = 2 } }
local widths = { { 8, 8 }, { 12, 48 }, { 16, 16 }, { 24, 24 }, { 48, 12 }, { 32, 32 }, { 24, 48 },
  { 96, 48 }, { 64, 64 }, { 96, 96 }, { 128, 128 }, { 128, 256 } }
local sides = { 4, 6, 10, 16, 31, 64 }
local directions = { "forward", "input_grad", "weight_grad" }

local function random(shape) return A.normal(A.generator(1), shape, "f32") end

-- Seconds of processor time of f's fastest run under each algorithm, taken by turns.
local function fastest(f)
  local best = { direct = math.huge, winograd = math.huge }
  for _ = 1, ROUNDS do
    for name in pairs(best) do
      C.algorithm(name)
      local start = system.cpu_time()
      f()
      best[name] = math.min(best[name], system.cpu_time() - start)
      collectgarbage()
    end
  end
  C.algorithm("table")
  return best
end

-- One shape in all directions, added to rows[direction].
local function measure(rows, kind, c, o, side)
  local k, stride = kind.kernel, kind.stride
  local n = math.max(1, math.ceil(WORK / (side * side * k * k * c * o)))
  local height = side * stride
  if n * height * height * math.max(c, o) > MOST then return end
  local options = { stride = stride, padding = 1 }
  local x, w = random { n, height, height, c }, random { k, k, c, o }
  local dy = C.conv2d(x, w, nil, options)
  local run = {
    forward = function() C.conv2d(x, w, nil, options) end,
    input_grad = function() C.conv2d_input_grad(dy, w, height, height, options) end,
    weight_grad = function() C.conv2d_weight_grad(x, dy, k, k, options) end,
  }
  for _, direction in ipairs(directions) do
    local direct, winograd, transformed, chosen = C.work(direction, { n, height, height, c, k, o },
      options)
    local seconds = fastest(run[direction])
    table.insert(rows[direction], { direct = direct, winograd = winograd, transformed = transformed,
      chosen = chosen, seconds = seconds })
  end
end

-- The costs that come nearest, by least squares of relative errors: seconds of a direct
-- multiply-add, and of Winograd's and of a transformed number in such multiply-adds.
local function fit(rows)
  local d, dd, pp, pt, tt, p1, t1 = 0, 0, 0, 0, 0, 0, 0
  for _, row in ipairs(rows) do
    local a = row.direct / row.seconds.direct
    d, dd = d + a, dd + a * a
    local p, t = row.winograd / row.seconds.winograd, row.transformed / row.seconds.winograd
    pp, pt, tt, p1, t1 = pp + p * p, pt + p * t, tt + t * t, p1 + p, t1 + t
  end
  local direct, det = d / dd, pp * tt - pt * pt
  return (p1 * tt - t1 * pt) / det / direct, (t1 * pp - p1 * pt) / det / direct
end

-- Seconds of all rows, where `pays` chooses, over those of the better algorithm each time.
local function loss(rows, pays)
  local taken, best = 0, 0
  for _, row in ipairs(rows) do
    local s = row.seconds
    taken = taken + (pays(row) and s.winograd or s.direct)
    best = best + math.min(s.winograd, s.direct)
  end
  return taken / best - 1
end

---Shows, for each direction, the costs measured, what choosing by them would lose against always
---choosing right, and what the present table loses.
---@param session daub.bench.Session
function M.run(session)
  local rows = { forward = {}, input_grad = {}, weight_grad = {} }
  for i, width in ipairs(widths) do
    session.report:progress(("choice: %d and %d channels"):format(unpack(width)), i / #widths)
    for _, kind in ipairs(kinds) do
      for _, side in ipairs(sides) do measure(rows, kind, width[1], width[2], side) end
    end
  end
  session.report:say(("\n%-12s %9s %9s %12s %12s %14s"):format("", "product", "number", "they lose",
    "table loses", "direct loses"))
  for _, direction in ipairs(directions) do
    local list = rows[direction]
    local product, number = fit(list)
    local fitted = loss(list, function(row)
      return product * row.winograd + number * row.transformed < row.direct
    end)
    local present = loss(list, function(row) return row.chosen end)
    local never = loss(list, function() return false end)
    session.report:say(("%-12s %9.2f %9.1f %10.1f %% %10.1f %% %12.1f %%"):format(direction,
      product, number, fitted * 100, present * 100, never * 100))
    session:event { name = "choice." .. direction, product = product, number = number,
      loss = fitted, table_loss = present, direct_loss = never, shapes = #list }
  end
end

return M
