-- Every distinct convolution of the bundled networks, forward and both gradients, each by itself.
-- They are found by watching one step of each network.
local A = require "daub.core.array"
local C = require "daub.core.conv"
local Step = require "daub.bench.step"
local steps = require "daub.bench.steps"
local trace = require "daub.bench.trace"

local M = {}

-- Shapes that no bundled network has, but others do: 4x4 to one place and back, 3x3, 1x1.
local function square(side, channels, filters, kernel, padding)
  local out = side + 2 * padding - kernel + 1
  return { batch = 64, height = side, width = side, channels = channels, rows = out, columns = out,
    filters = filters, kernel = { kernel, kernel }, stride = { 1, 1 },
    padding = { padding, padding }, groups = 1 }
end
local further = {
  square(4, 512, 1, 4, 0), square(4, 512, 100, 4, 0), square(32, 64, 64, 3, 1),
  square(32, 128, 128, 1, 0),
}

-- "4x4s2.48x16.64-128": kernel, stride, size of the larger picture (width first), channels of the
-- larger and the smaller one.
local function label(c)
  local stride = c.stride[1] == c.stride[2] and c.stride[1] or table.concat(c.stride, "x")
  return ("%dx%ds%s.%dx%d.%d-%d%s"):format(c.kernel[1], c.kernel[2], stride, c.width, c.height,
    c.channels, c.filters, c.groups > 1 and "g" .. c.groups or "")
end

local function random(shape) return A.normal(A.generator(1), shape, "f32") end

-- The three benchmarks of one convolution.
local function add(list, c)
  local o = { stride = c.stride, padding = c.padding, groups = c.groups }
  local large = { c.batch, c.height, c.width, c.channels }
  local small = { c.batch, c.rows, c.columns, c.filters }
  local kh, kw = unpack(c.kernel)
  local weight = { kh, kw, c.channels / c.groups, c.filters }
  local function entry(direction, first, second, f)
    local a, b
    list[#list + 1] = {
      name = ("conv.%s.%s"):format(direction, label(c)), flops = trace.flops(c), batch = c.batch,
      prepare = function() a, b = random(first), random(second) end,
      run = function() f(a, b) end,
      between = collectgarbage,
      finish = function() a, b = nil, nil end,
    }
  end
  entry("fwd", large, weight, function(x, w) C.conv2d(x, w, nil, o) end)
  entry("bwd-data", small, weight,
    function(dy, w) C.conv2d_input_grad(dy, w, c.height, c.width, o) end)
  entry("wgrad", large, small, function(x, dy) C.conv2d_weight_grad(x, dy, kh, kw, o) end)
end

-- The convolutions of a step, traced with two pictures.
local function of_step(o)
  local few = { batch = 2 }
  for key, value in pairs(o.set) do few[key] = few[key] or value end
  local step = Step.new { recipe = o.recipe, size = o.size, set = few, plain = true }
  local _, found = trace.run(step)
  for _, c in ipairs(found) do c.batch = o.set.batch end
  return found
end

---@return daub.bench.Entry[]
function M.list()
  local list, seen = {}, {}
  local function each(found)
    for _, c in ipairs(found) do
      if not seen[label(c)] then add(list, c) end
      seen[label(c)] = true
    end
  end
  for _, o in ipairs(steps.steps) do each(of_step(o)) end
  each(further)
  collectgarbage()
  return list
end

return M
