-- Optimisers: PyTorch's formulas, options and defaults.
--
--     local opt = optim.Adam(net:parameters(), { lr = 2e-4, betas = { 0.5, 0.999 } })
--     opt:zero_grad(); loss:backward(); opt:step()
--
-- opt.options.lr may be changed between steps. A parameter whose grad is nil is left alone. A step
-- is one fused pass of the core over all parameters.
local A = require "daub.core.array"
local autograd = require "daub.autograd"
local class = require "daub.tensor.class"
local options = require "daub.options"

local M = {}

---@class daub.Optimiser
local Optimiser = {}
Optimiser.__index = Optimiser

--- Forgets the gradients of all parameters.
function Optimiser:zero_grad()
  for _, p in ipairs(self.parameters) do p.grad = nil end
end

-- The group of parameters of one dtype that have `step` steps behind them: lists of arrays, entry
-- by entry of one parameter, as the core takes them. Mostly there is one.
local function group_of(groups, dtype, step)
  for _, group in ipairs(groups) do
    if group.step == step and group.dtype == dtype then return group end
  end
  local group = { step = step, dtype = dtype, parameters = {}, gradients = {}, buffers = {} }
  groups[#groups + 1] = group
  return group
end

local function join(group, p, slot, names)
  local n = #group.parameters + 1
  group.parameters[n], group.gradients[n] = p.array, p.grad.array
  for i = 1, #names do
    local name = names[i]
    if slot[name] then
      local list = group.buffers[name]
      if not list then
        list = {}
        group.buffers[name] = list
      end
      list[n] = slot[name]
    end
  end
end

--- One step against the gradients: a single pass of the core over all parameters.
function Optimiser:step()
  local groups, parameters = {}, self.parameters
  for i = 1, #parameters do
    local p = parameters[i]
    if p.grad then
      local slot = self.slots[i]
      if not slot then
        slot = self:start(p)
        slot.step = 0
        self.slots[i] = slot
      end
      slot.step = slot.step + 1
      join(group_of(groups, p.dtype, slot.step), p, slot, self.buffers)
      class.changed(p)
    end
  end
  for i = 1, #groups do self:update(groups[i], self.options) end
end

--- What a checkpoint needs: tensors by name ("1.exp_avg", …) and steps. They share memory.
---@return {tensors: table<string, daub.Tensor>, steps: integer[], options: table}
function Optimiser:state()
  local tensors, steps = {}, {}
  for i = 1, #self.parameters do
    local slot = self.slots[i]
    steps[i] = slot and slot.step or 0
    for name, array in pairs(slot or {}) do
      if name ~= "step" then tensors[i .. "." .. name] = class.wrap(array) end
    end
  end
  local o = {}
  for name, value in pairs(self.options) do o[name] = value end
  return { tensors = tensors, steps = steps, options = o }
end

--- Takes back what state() gave (the options too, when present).
function Optimiser:load_state(state)
  if type(state) ~= "table" or type(state.tensors) ~= "table" or type(state.steps) ~= "table"
    or #state.steps ~= #self.parameters then
    options.misuse(("%s: load_state: expected the state of an optimiser of %d parameters"):format(
      self.name, #self.parameters))
  end
  if state.options then
    self.options = options.check(self.name, state.options, self.defaults)
    self:check()
  end
  local slots = {}
  for i, p in ipairs(self.parameters) do
    if state.steps[i] > 0 then
      local slot = self:start(p)
      for name, array in pairs(slot) do
        local t = state.tensors[i .. "." .. name]
        if not t or not class.same_shape(t.shape, A.shape(array)) then
          options.misuse(("%s: load_state: %d.%s is %s, expected %s"):format(self.name, i, name,
            t and options.shape(t.shape) or "missing", options.shape(A.shape(array))))
        end
        A.copy_(array, t.array)
      end
      slot.step = state.steps[i]
      slots[i] = slot
    end
  end
  self.slots = slots
end

local function zeros(p) return A.full(p.shape, 0, p.dtype) end

local function expect(self, name, low, high)
  local v = self.options[name]
  if type(v) ~= "number" or not (v >= low and v < (high or math.huge)) then
    options.misuse(("%s: %s is %s, expected a number of at least %g%s"):format(self.name, name,
      tostring(v), low, high and " and below " .. high or ""))
  end
end

-- An optimiser: its defaults, names of the buffers it keeps for a parameter, check(self) of its
-- options, start(self, p) -> those buffers by name, update(self, group, options).
local function define(name, defaults, methods)
  local cls = setmetatable(methods, Optimiser)
  cls.__index, cls.name, cls.defaults = cls, name, defaults
  M[name] = function(parameters, o)
    if type(parameters) ~= "table" or class.is_tensor(parameters) then
      options.misuse(name .. ": expected a list of parameters")
    end
    if #parameters == 0 then options.misuse(name .. ": the list of parameters is empty") end
    local list, seen = {}, {}
    for i, p in ipairs(parameters) do
      class.expect(name, p, "parameter " .. i)
      if seen[p] then
        options.misuse(("%s: parameters %d and %d are the same"):format(name, seen[p], i))
      end
      seen[p] = i
      if not p.requires_grad or p.node then
        options.misuse(("%s: parameter %d is no leaf that requires grad"):format(name, i))
      end
      list[i] = p
    end
    local self = setmetatable({ parameters = list, slots = {},
      options = options.check(name, o, defaults) }, cls)
    self:check()
    return self
  end
end

-- v = momentum * v + (1 - dampening) * g;  p -= lr * v
define("SGD", { lr = 1e-3, momentum = 0, dampening = 0, nesterov = false, weight_decay = 0 }, {
  check = function(self)
    expect(self, "lr", 0)
    expect(self, "momentum", 0)
    expect(self, "weight_decay", 0)
    local o = self.options
    if o.nesterov and (o.momentum == 0 or o.dampening ~= 0) then
      options.misuse("SGD: nesterov needs a momentum and no dampening")
    end
  end,
  start = function(self, p)
    return self.options.momentum ~= 0 and { momentum_buffer = zeros(p) } or {}
  end,
  buffers = { "momentum_buffer" },
  update = function(_, group, o)
    A.sgd_step_(group.parameters, group.gradients, group.buffers.momentum_buffer, { lr = o.lr,
      momentum = o.momentum, dampening = o.dampening, nesterov = o.nesterov,
      weight_decay = o.weight_decay, first = group.step == 1 })
  end,
})

-- s = alpha * s + (1 - alpha) * g^2;  p -= lr * g / (sqrt(s) + eps)
define("RMSprop", { lr = 1e-2, alpha = 0.99, eps = 1e-8, momentum = 0, weight_decay = 0,
  centered = false }, {
  check = function(self)
    for _, name in ipairs { "lr", "alpha", "eps", "momentum", "weight_decay" } do
      expect(self, name, 0)
    end
  end,
  start = function(self, p)
    local o = self.options
    return { square_avg = zeros(p), momentum_buffer = o.momentum > 0 and zeros(p) or nil,
      grad_avg = o.centered and zeros(p) or nil }
  end,
  buffers = { "square_avg", "momentum_buffer", "grad_avg" },
  update = function(_, group, o)
    local b = group.buffers
    A.rmsprop_step_(group.parameters, group.gradients, b.square_avg, b.momentum_buffer, b.grad_avg,
      o)
  end,
})

local function check_adam(self)
  for _, name in ipairs { "lr", "eps", "weight_decay" } do expect(self, name, 0) end
  local betas = self.options.betas
  for i = 1, 2 do
    local b = type(betas) == "table" and betas[i]
    if type(b) ~= "number" or b < 0 or b >= 1 then
      options.misuse(self.name .. ": betas must be two numbers in [0, 1)")
    end
  end
end

local function start_adam(_, p) return { exp_avg = zeros(p), exp_avg_sq = zeros(p) } end

-- m, v: running means of g and g^2, corrected for their start at 0;  p -= lr * m / (sqrt(v) + eps).
-- decoupled (AdamW): weight decay shrinks p itself instead of joining g.
local function adam(decoupled)
  return {
    check = check_adam, start = start_adam, buffers = { "exp_avg", "exp_avg_sq" },
    update = function(_, group, o)
      local b = group.buffers
      A.adam_step_(group.parameters, group.gradients, b.exp_avg, b.exp_avg_sq, { lr = o.lr,
        beta1 = o.betas[1], beta2 = o.betas[2], eps = o.eps, weight_decay = o.weight_decay,
        step = group.step, decoupled = decoupled })
    end,
  }
end

define("Adam", { lr = 1e-3, betas = { 0.9, 0.999 }, eps = 1e-8, weight_decay = 0 }, adam(false))
define("AdamW", { lr = 1e-3, betas = { 0.9, 0.999 }, eps = 1e-8, weight_decay = 1e-2 }, adam(true))

---@class daub.Ema
local Ema = {}
Ema.__index = Ema

--- A slow copy of a module's weights: after each step update() moves it by 1 - decay towards them.
--- Buffers are copied as they are.
---@param module daub.Module
---@param o? {decay: number}
---@return daub.Ema
function M.ema(module, o)
  o = options.check("ema", o, { decay = 0.999 })
  if type(o.decay) ~= "number" or o.decay < 0 or o.decay > 1 then
    options.misuse("ema: decay is " .. tostring(o.decay) .. ", expected a number in [0, 1]")
  end
  if type(module) ~= "table" or not module.named_parameters then
    options.misuse("ema: expected a module, got " .. options.shown(module))
  end
  local shadow = {}
  for name, t in pairs(module:state()) do shadow[name] = autograd.no_grad(t.clone, t) end
  return setmetatable({ module = module, decay = o.decay, shadow = shadow }, Ema)
end

function Ema:update()
  local slow, own = {}, {}
  for name, p in self.module:named_parameters() do
    slow[#slow + 1], own[#own + 1] = self.shadow[name].array, p.array
  end
  if #slow > 0 then A.lerp_(slow, own, 1 - self.decay) end
  for name, b in self.module:named_buffers() do A.copy_(self.shadow[name].array, b.array) end
end

--- Runs f(...) with the slow weights in the module, then puts its own back.
function Ema:apply(f, ...)
  local own = {}
  for name, t in pairs(self.module:state()) do own[name] = autograd.no_grad(t.clone, t) end
  self.module:load_state(self.shadow)
  local function back(ok, ...)
    self.module:load_state(own)
    if not ok then error((...), 0) end
    return ...
  end
  return back(pcall(f, ...))
end

--- The slow weights by name; they share memory.
function Ema:state() return self.shadow end

function Ema:load_state(state)
  for name, t in pairs(self.shadow) do
    local given = state[name]
    if not given or not class.same_shape(given.shape, t.shape) then
      options.misuse("ema: load_state: " .. name .. " is "
        .. (given and options.shape(given.shape) or "missing"))
    end
  end
  for name, t in pairs(self.shadow) do A.copy_(t.array, state[name].array) end
end

return M
