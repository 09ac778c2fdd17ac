-- What `daub upscaler` teaches: a network for each factor, how much of what each adds is used, and
-- what was measured. One file, upscaler.safetensors.
--
--     local model = Model.new { features = 32, layers = 8 }
--     model:save("runs/first/upscaler.safetensors")
--     model = assert(Model.load("runs/first/upscaler.safetensors"))
local checkpoint = require "daub.checkpoint"
local network = require "daub.upscale.network"

local M = {}

M.name = "upscaler.safetensors" -- in the folder of a run

local FORMAT = 1
local MOST = { features = 256, layers = 64 }
local PLACES = { "first", "later" } -- in a chain of enlargements

---@class daub.upscale.Model
---@field shape {features: integer, layers: integer}
---@field nets table<integer, daub.Module> by factor
---@field weights table<"first"|"later", table<integer, number>> 0 … 1: the share of what the net
--- of a factor adds that is used, where it sees a picture as it is ("first") or an enlarged one; 0
--- where it was not better than Lanczos, and as long as it was not measured
---@field about table what it was taught with, and the measurements
local Model = {}
Model.__index = Model

local function tag(factor) return "x" .. factor end

---An untaught one, which enlarges as Lanczos does.
---@param shape {features: integer, layers: integer}
---@return daub.upscale.Model
function M.new(shape)
  local self = setmetatable({ shape = { features = shape.features, layers = shape.layers },
    nets = {}, weights = {}, about = {} }, Model)
  for _, factor in ipairs(network.factors) do
    self.nets[factor] = network.new(factor, self.shape)
  end
  for _, place in ipairs(PLACES) do
    self.weights[place] = {}
    for _, factor in ipairs(network.factors) do self.weights[place][factor] = 0 end
  end
  return self
end

---Everything in it, as checkpoints hold it.
function Model:state()
  local state = { format = FORMAT, shape = self.shape, nets = {}, weights = {}, about = self.about }
  for _, factor in ipairs(network.factors) do
    state.nets[tag(factor)] = self.nets[factor]:state()
    for _, place in ipairs(PLACES) do
      state.weights[place] = state.weights[place] or {}
      state.weights[place][tag(factor)] = self.weights[place][factor]
    end
  end
  return state
end

---@param path string
---@return boolean|nil ok, string? message, string? code
function Model:save(path) return checkpoint.save(path, self:state()) end

-- The model of a state, whoever wrote it; raises with what is wrong.
local function restore(state)
  if state.format ~= FORMAT then
    error(("format %s (this program reads %d)"):format(tostring(state.format), FORMAT), 0)
  end
  for name, most in pairs(MOST) do
    local n = state.shape[name]
    if type(n) ~= "number" or n % 1 ~= 0 or n < 1 or n > most then
      error(("%s: a whole number from 1 to %d expected"):format(name, most), 0)
    end
  end
  local model = M.new(state.shape)
  for factor, net in pairs(model.nets) do
    net:load_state(state.nets[tag(factor)])
    for _, t in pairs(net:state()) do
      if t:isfinite():all():item() == 0 then error("a weight is no finite number", 0) end
    end
    for _, place in ipairs(PLACES) do
      local weight = state.weights[place][tag(factor)]
      if type(weight) ~= "number" or not (weight >= 0 and weight <= 1) then
        error("weights: numbers from 0 to 1 expected", 0)
      end
      model.weights[place][factor] = weight
    end
  end
  if type(state.about) ~= "table" then error("it says nothing about itself", 0) end
  model.about = state.about
  return model
end

---@param path string
---@return daub.upscale.Model|nil model, string? message, string? code
function M.load(path)
  local state, message, code = checkpoint.load(path)
  if not state then return nil, message, code end
  local ok, model = pcall(restore, state)
  if not ok then return nil, ("%s: not an upscaler (%s)"):format(path, model), "decode" end
  return model
end

return M
