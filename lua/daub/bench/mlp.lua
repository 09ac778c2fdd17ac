-- Small tensors: a training step of two layers of 64 units, batch 32, Adam. What it takes beyond
-- its few products is the cost of Lua, autograd and calls of the core.
local F = require "daub.ops"
local nn = require "daub.nn"
local optim = require "daub.optim"
local tensor = require "daub.tensor"
local trace = require "daub.bench.trace"

local M = {}

local BATCH, UNITS = 32, 64
local TOGETHER = 20 -- steps in one timed run

---A step, to be called, and the loss alone.
---@return fun() step, fun(): daub.Tensor loss
function M.step()
  local net = nn.Sequential { nn.Linear(UNITS, UNITS), nn.ReLU(), nn.Linear(UNITS, UNITS) }
  local adam = optim.Adam(net:parameters(), { lr = 1e-3 })
  local x, y = tensor.randn { BATCH, UNITS }, tensor.randn { BATCH, UNITS }
  local function loss() return F.mse_loss(net(x), y) end
  local function step()
    local off = loss()
    adam:zero_grad()
    off:backward()
    adam:step()
  end
  return step, loss
end

---Operations recorded for the gradient of y: each is done forward and backward.
---@param y daub.Tensor
---@return integer
function M.op_pairs(y)
  local seen, count = {}, 0
  local function visit(node)
    if not node or node.leaf or seen[node] then return end
    seen[node], count = true, count + 1
    for i = 1, #node.edges do visit(node.edges[i]) end
  end
  visit(y.node)
  return count
end

---@return daub.bench.Entry[]
function M.list()
  local e = { name = "mlp.step" }
  function e.measure(session)
    local step, loss = M.step()
    local ops, flops = M.op_pairs(loss()), trace.run(step)
    local times = session:time(function()
      for _ = 1, TOGETHER do step() end
    end, { seconds = 2 })
    for _, key in ipairs { "best", "median", "cpu" } do times[key] = times[key] / TOGETHER end
    local micro = times.best / ops * 1e6
    session:row { name = e.name, times = times, flops = flops, batch = BATCH,
      words = ("  %.1f us for each of %d operations, forward and backward"):format(micro, ops),
      more = { op_pairs = ops, microseconds_per_op_pair = micro } }
  end
  return { e }
end

return M
