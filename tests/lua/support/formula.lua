-- The inputs and weights of tests/golden/make_cover.py, by the same formula of their name.
local autograd = require "daub.autograd"
local tensor = require "daub.tensor"

local M = {}

---Pseudo-random numbers in -0.5 … 0.5.
---@param name string
---@param shape integer[]
---@return daub.Tensor f64
function M.numbers(name, shape)
  local start = 0
  for i = 1, #name do start = start + i * name:byte(i) end
  local t = tensor.empty(shape, { dtype = "f64" })
  local p = t:view()
  for k = 0, t:numel() - 1 do
    local x = math.sin(k * 12.9898 + start * 78.233) * 43.7585453
    p[k] = x - math.floor(x) - 0.5
  end
  return t
end

-- Scale and offset of a parameter, by its kind.
local function spread_of(name, shape)
  if #shape == 4 then
    local inputs = name:match("up%.weight$") and shape[4] or shape[3]
    return math.sqrt(24 / (shape[1] * shape[2] * inputs)), 0
  elseif #shape == 2 then return math.sqrt(24 / shape[2]), 0
  elseif name:match("noise$") then return 0.6, 0
  elseif name:match("weight$") then return 0.4, 1 end
  return 0.2, 0
end

---Fills a network of f64.
---@param network daub.Module
---@param prefix string before the names of its parameters
function M.fill(network, prefix)
  autograd.no_grad(function()
    for name, p in network:named_parameters() do
      local scale, offset = spread_of(name, p.shape)
      p:copy_(M.numbers(prefix .. name, p.shape) * scale + offset)
    end
    for name, layer in network:named_modules() do -- biases of norms are spread wider than others
      if layer.running_mean then
        layer.bias:copy_(M.numbers(prefix .. name .. ".bias", layer.bias.shape) * 0.4)
      end
    end
  end)
end

return M
