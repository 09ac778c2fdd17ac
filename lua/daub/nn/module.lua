-- Module: what every layer and network is.
--
--     local Block = nn.class("Block")
--     function Block:init(channels)                  -- called by Block(channels)
--       self.conv = nn.Conv2d(channels, channels, 3, { padding = 1 })     -- a child
--       self.gain = nn.Parameter(tensor.ones { channels })                -- a parameter
--     end
--     function Block:forward(x) return x + self.conv(x) * self.gain end   -- called by block(x)
--
-- A module, or a leaf tensor that requires grad, assigned to a field is a child or a parameter from
-- then on, in the order of assignment; self:buffer(name, t) keeps a tensor that is saved but not
-- learnt. `training` is true until eval().
local autograd = require "daub.autograd"
local class = require "daub.tensor.class"
local options = require "daub.options"

local M = {}

---@class daub.Module
---@field training boolean
local Module = {}

local function is_module(x)
  local mt = type(x) == "table" and getmetatable(x)
  return type(mt) == "table" and rawget(mt, "is_module") == true
end
M.is_module = is_module

local function assign(self, name, value)
  local kind
  if is_module(value) then kind = "module"
  elseif class.is_tensor(value) and value.requires_grad and not value.node then kind = "parameter"
  end
  if kind then self:keep(name, kind) end
  rawset(self, name, value)
end

-- Returned after the layer ran, so that its frame is still there when an error names it.
local function results(...) return ... end

local function call(self, ...) return results(self:forward(...)) end
options.runs_layer(call)

local function construct(cls, ...)
  local self = setmetatable({ training = true, _names = {}, _kinds = {} }, cls)
  self:init(...)
  return self
end

--- A new kind of layer: call it to make one. `parent` defaults to the plain module.
---@param name string shown by print and in errors
---@param parent? table
function M.class(name, parent)
  local cls = { type_name = name, is_module = true, __newindex = assign, __call = call }
  cls.__index = cls
  cls.__tostring = function(self) return self:text("") end
  return setmetatable(cls, { __index = parent or Module, __call = construct })
end

--- A tensor as a parameter: it requires grad.
function M.Parameter(t) return class.expect("Parameter", t):requires_grad_() end

function Module.init() end

function Module:forward()
  options.misuse(self.type_name .. ": has no forward")
end

-- Field `name` is a "parameter", "buffer" or "module" from now on.
function Module:keep(name, kind)
  if not self._kinds[name] then self._names[#self._names + 1] = name end
  self._kinds[name] = kind
end

--- Keeps a tensor that is part of the state but not learnt.
function Module:buffer(name, t)
  self:keep(name, "buffer")
  rawset(self, name, t)
end

-- Field `name` is nothing special any more.
function Module:forget(name)
  self._kinds[name] = nil
  for i, n in ipairs(self._names) do
    if n == name then table.remove(self._names, i) break end
  end
  rawset(self, name, nil)
end

-- Calls visit(full name, value, kind, owner, name) for everything kept, children after their
-- parents.
local function walk(self, prefix, visit)
  for _, name in ipairs(self._names) do
    local value, kind = rawget(self, name), self._kinds[name]
    if value then
      visit(prefix .. name, value, kind, self, name)
      if kind == "module" then walk(value, prefix .. name .. ".", visit) end
    end
  end
end

local function list_of(self, kind, named)
  local list, seen = {}, {}
  walk(self, "", function(name, value, k)
    if k == kind and not seen[value] then
      seen[value] = true
      list[#list + 1] = named and { name, value } or value
    end
  end)
  return list
end

--- Everything that is learnt, each once, in order.
---@return daub.Tensor[]
function Module:parameters() return list_of(self, "parameter") end
function Module:buffers() return list_of(self, "buffer") end

-- A map of name -> value that a for loop can call for its entries in order.
local function named(list)
  local map, i = {}, 0
  for _, entry in ipairs(list) do map[entry[1]] = entry[2] end
  return setmetatable(map, { __call = function()
    i = i % (#list + 1) + 1
    if list[i] then return list[i][1], list[i][2] end
  end })
end

--- A map of name -> parameter; `for name, parameter in module:named_parameters() do … end` goes
--- through it in order.
---@return table<string, daub.Tensor>
function Module:named_parameters() return named(list_of(self, "parameter", true)) end
function Module:named_buffers() return named(list_of(self, "buffer", true)) end
function Module:named_modules()
  local list = list_of(self, "module", true)
  table.insert(list, 1, { "", self })
  return named(list)
end
--- Direct children, in order.
function Module:children()
  local list = {}
  for _, name in ipairs(self._names) do
    if self._kinds[name] == "module" then list[#list + 1] = rawget(self, name) end
  end
  return list
end

--- Parameters and buffers by name. The tensors share the module's memory.
---@return table<string, daub.Tensor>
function Module:state()
  local s = {}
  walk(self, "", function(name, value, kind)
    if kind ~= "module" then s[name] = value:detach() end
  end)
  return s
end

--- Copies a state into the module. Raises, naming every name that is missing, unexpected or of
--- another shape, before anything is copied; with strict = false only shapes must fit.
---@param state table<string, daub.Tensor>
---@param o? {strict: boolean}
function Module:load_state(state, o)
  o = options.check("load_state", o, { strict = true })
  local own, wrong = self:state(), {}
  for _, name in ipairs(options.sorted_keys(own)) do
    local given = state[name]
    if not given then
      if o.strict then wrong[#wrong + 1] = "missing " .. name end
    elseif not class.same_shape(class.expect("load_state", given, name).shape, own[name].shape) then
      wrong[#wrong + 1] = ("%s is %s, expected %s"):format(name, options.shape(given.shape),
        options.shape(own[name].shape))
    end
  end
  for _, name in ipairs(options.sorted_keys(state)) do
    if o.strict and not own[name] then wrong[#wrong + 1] = "unexpected " .. name end
  end
  if #wrong > 0 then
    options.misuse("load_state: " .. self.type_name .. ": " .. table.concat(wrong, "; "))
  end
  autograd.no_grad(function()
    for name, t in pairs(own) do
      if state[name] then t:copy_(state[name]) end
    end
  end)
  return self
end

--- Calls f on every module below this one, children first, then on this one.
function Module:apply(f)
  for _, child in ipairs(self:children()) do child:apply(f) end
  f(self)
  return self
end

--- Training behaviour (dropout, batch statistics) on, or off with false.
function Module:train(on)
  on = on ~= false
  return self:apply(function(m) rawset(m, "training", on) end)
end
function Module:eval() return self:train(false) end

--- Forgets gradients.
function Module:zero_grad()
  for _, p in ipairs(self:parameters()) do p.grad = nil end
end

--- Whether parameters ask for gradients.
function Module:requires_grad_(on)
  for _, p in ipairs(self:parameters()) do p:requires_grad_(on) end
  return self
end

--- Converts parameters and buffers to a floating dtype, in place.
function Module:to(dtype)
  walk(self, "", function(_, value, kind)
    if kind == "module" or not value:is_floating_point() then return end
    value.array = value.array:cast(dtype)
    value.dtype, value.grad = nil, nil
    class.changed(value)
  end)
  return self
end

--- How many numbers are learnt.
function Module:count_parameters()
  local n = 0
  for _, p in ipairs(self:parameters()) do n = n + p:numel() end
  return n
end

--- The slope below 0 of a layer that is a leaky ReLU and nothing else: one before it may apply it.
--- nil for other layers.
---@return number?
function Module.fusible_slope() end

--- What stands in the brackets when a layer is printed; layers override it.
function Module.details() return "" end

function Module:describe() return self.type_name .. "(" .. self:details() .. ")" end

function Module:text(indent)
  local children = {}
  for _, name in ipairs(self._names) do
    if self._kinds[name] == "module" then
      children[#children + 1] = ("%s  (%s): %s\n"):format(indent, name,
        rawget(self, name):text(indent .. "  "))
    end
  end
  if #children == 0 then return self:describe() end
  return self.type_name .. "(\n" .. table.concat(children) .. indent .. ")"
end

M.Module = Module
return M
