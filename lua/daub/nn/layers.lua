-- Layers with weights, layers that reshape, containers. Options and defaults are PyTorch's.
local F = require "daub.ops"
local initialise = require "daub.nn.initialise"
local module = require "daub.nn.module"
local options = require "daub.options"
local tensor = require "daub.tensor"

local Parameter, class, is_module = module.Parameter, module.class, module.is_module
local misuse = options.misuse

local M = {}

local function count(op, what, n) return options.whole(op, what, n, 1) end

local function size_text(a, b) return a == b and tostring(a) or ("{%d, %d}"):format(a, b) end

-- An option as it is shown when it is not the default.
local function shown(name, pair, usual)
  if pair[1] == usual and pair[2] == usual then return "" end
  return (", %s=%s"):format(name, size_text(pair[1], pair[2]))
end

--- x {…, inputs} to {…, outputs}. Weight {outputs, inputs}.
---@param inputs integer
---@param outputs integer
---@param o? {bias: boolean}
M.Linear = class "Linear"
function M.Linear:init(inputs, outputs, o)
  o = options.check("Linear", o, { bias = true })
  self.inputs, self.outputs = count("Linear", "inputs", inputs), count("Linear", "outputs", outputs)
  self.weight = Parameter(tensor.empty { outputs, inputs })
  if o.bias then self.bias = Parameter(tensor.empty { outputs }) end
  initialise.default_(self.weight, self.bias)
end
function M.Linear:forward(x) return F.linear(x, self.weight, self.bias) end
function M.Linear:details()
  return ("%d, %d%s"):format(self.inputs, self.outputs, self.bias and "" or ", bias=false")
end

-- What Conv2d and ConvTranspose2d share. `last`: the weight's last two sizes.
local function init_conv(self, inputs, outputs, kernel, o, weight_in, weight_out)
  local op = self.type_name
  local kh, kw = options.pair(op, "kernel", kernel, 1)
  self.inputs, self.outputs, self.kernel = inputs, outputs, { kh, kw }
  self.stride = { options.pair(op, "stride", o.stride, 1) }
  self.padding = { options.pair(op, "padding", o.padding, 0) }
  self.groups = o.groups
  self.weight = Parameter(tensor.empty { kh, kw, weight_in, weight_out })
  if o.bias then self.bias = Parameter(tensor.empty { outputs }) end
  initialise.default_(self.weight, self.bias)
end

local function check_groups(op, inputs, outputs, groups)
  count(op, "inputs", inputs)
  count(op, "outputs", outputs)
  count(op, "groups", groups)
  if inputs % groups ~= 0 or outputs % groups ~= 0 then
    misuse(("%s: %d and %d channels cannot be split into %d groups"):format(op, inputs, outputs,
      groups))
  end
end

local function conv_details(self)
  local text = ("%d, %d, %s%s%s"):format(self.inputs, self.outputs,
    size_text(self.kernel[1], self.kernel[2]), shown("stride", self.stride, 1),
    shown("padding", self.padding, 0))
  if self.output_padding then text = text .. shown("output_padding", self.output_padding, 0) end
  if self.groups ~= 1 then text = text .. ", groups=" .. self.groups end
  return self.bias and text or text .. ", bias=false"
end

--- x {N, H, W, inputs} to {N, OH, OW, outputs}. Weight {kh, kw, inputs / groups, outputs}.
---@param inputs integer
---@param outputs integer
---@param kernel integer|integer[]
---@param o? {stride: integer|integer[], padding: integer|integer[], groups: integer, bias: boolean}
M.Conv2d = class "Conv2d"
function M.Conv2d:init(inputs, outputs, kernel, o)
  o = options.check("Conv2d", o, { stride = 1, padding = 0, groups = 1, bias = true })
  check_groups("Conv2d", inputs, outputs, o.groups)
  init_conv(self, inputs, outputs, kernel, o, inputs / o.groups, outputs)
end
--- With a number, also the leaky ReLU of this slope, in the same pass.
---@param negative_slope? number
function M.Conv2d:forward(x, negative_slope)
  return F.conv2d(x, self.weight, { bias = self.bias, stride = self.stride,
    padding = self.padding, groups = self.groups, negative_slope = negative_slope })
end
M.Conv2d.details = conv_details

--- The other way. Weight {kh, kw, outputs / groups, inputs}.
---@param inputs integer
---@param outputs integer
---@param kernel integer|integer[]
---@param o? table stride: whole number or pair, padding: whole number or pair, output_padding:
--- whole number or pair, groups: integer, bias: boolean
M.ConvTranspose2d = class "ConvTranspose2d"
function M.ConvTranspose2d:init(inputs, outputs, kernel, o)
  o = options.check("ConvTranspose2d", o, { stride = 1, padding = 0, output_padding = 0,
    groups = 1, bias = true })
  check_groups("ConvTranspose2d", inputs, outputs, o.groups)
  self.output_padding = { options.pair("ConvTranspose2d", "output_padding", o.output_padding, 0) }
  init_conv(self, inputs, outputs, kernel, o, outputs / o.groups, inputs)
end
function M.ConvTranspose2d:forward(x)
  return F.conv_transpose2d(x, self.weight, { bias = self.bias, stride = self.stride,
    padding = self.padding, output_padding = self.output_padding, groups = self.groups })
end
M.ConvTranspose2d.details = conv_details

--- Batch normalisation over all axes but the last.
---@param channels integer
---@param o? {eps: number, momentum: number, affine: boolean, track_running_stats: boolean}
M.BatchNorm2d = class "BatchNorm2d"
function M.BatchNorm2d:init(channels, o)
  o = options.check("BatchNorm2d", o, { eps = 1e-5, momentum = 0.1, affine = true,
    track_running_stats = true })
  self.channels, self.eps = count("BatchNorm2d", "channels", channels), o.eps
  self.momentum = o.momentum
  if o.affine then
    self.weight = Parameter(tensor.ones { channels })
    self.bias = Parameter(tensor.zeros { channels })
  end
  if o.track_running_stats then
    self:buffer("running_mean", tensor.zeros { channels })
    self:buffer("running_var", tensor.ones { channels })
    self:buffer("num_batches_tracked", tensor.zeros({}, { dtype = "i64" }))
  end
end
--- With a number, also the leaky ReLU of this slope, in the same passes.
---@param negative_slope? number
function M.BatchNorm2d:forward(x, negative_slope)
  if self.training and self.num_batches_tracked then self.num_batches_tracked:add_(1) end
  return F.batch_norm(x, self.running_mean, self.running_var, { weight = self.weight,
    bias = self.bias, training = self.training or not self.running_mean,
    momentum = self.momentum, eps = self.eps, negative_slope = negative_slope })
end
function M.BatchNorm2d:details() return tostring(self.channels) end

--- Normalisation of runs of channels of each picture.
---@param groups integer
---@param channels integer
---@param o? {eps: number, affine: boolean}
M.GroupNorm = class "GroupNorm"
function M.GroupNorm:init(groups, channels, o)
  o = options.check("GroupNorm", o, { eps = 1e-5, affine = true })
  count("GroupNorm", "groups", groups)
  if count("GroupNorm", "channels", channels) % groups ~= 0 then
    misuse(("GroupNorm: %d channels cannot be split into %d groups"):format(channels, groups))
  end
  self.groups, self.channels, self.eps = groups, channels, o.eps
  if o.affine then
    self.weight = Parameter(tensor.ones { channels })
    self.bias = Parameter(tensor.zeros { channels })
  end
end
function M.GroupNorm:forward(x)
  return F.group_norm(x, self.groups, { weight = self.weight, bias = self.bias, eps = self.eps })
end
function M.GroupNorm:details() return ("%d, %d"):format(self.groups, self.channels) end

--- Normalisation of each channel of each picture.
---@param channels integer
---@param o? {eps: number, affine: boolean}
M.InstanceNorm2d = class "InstanceNorm2d"
function M.InstanceNorm2d:init(channels, o)
  o = options.check("InstanceNorm2d", o, { eps = 1e-5, affine = false })
  self.channels, self.eps = count("InstanceNorm2d", "channels", channels), o.eps
  if o.affine then
    self.weight = Parameter(tensor.ones { channels })
    self.bias = Parameter(tensor.zeros { channels })
  end
end
function M.InstanceNorm2d:forward(x)
  return F.instance_norm(x, { weight = self.weight, bias = self.bias, eps = self.eps })
end
function M.InstanceNorm2d:details() return tostring(self.channels) end

--- Normalisation over the last axes, whose sizes are `shape` (a number or a list).
---@param o? {eps: number, elementwise_affine: boolean}
M.LayerNorm = class "LayerNorm"
function M.LayerNorm:init(shape, o)
  o = options.check("LayerNorm", o, { eps = 1e-5, elementwise_affine = true })
  self.shape, self.eps = type(shape) == "table" and shape or { shape }, o.eps
  options.wholes("LayerNorm", "the shape", self.shape, 1)
  if o.elementwise_affine then
    self.weight = Parameter(tensor.ones(self.shape))
    self.bias = Parameter(tensor.zeros(self.shape))
  end
end
function M.LayerNorm:forward(x)
  return F.layer_norm(x, self.shape, { weight = self.weight, bias = self.bias, eps = self.eps })
end
function M.LayerNorm:details() return options.shape(self.shape) end

--- Rows of a table of `entries` vectors of `width` numbers, chosen by whole numbers from 1.
M.Embedding = class "Embedding"
function M.Embedding:init(entries, width)
  self.entries, self.width = count("Embedding", "entries", entries),
    count("Embedding", "width", width)
  self.weight = Parameter(tensor.randn { entries, width })
end
function M.Embedding:forward(idx) return F.embedding(idx, self.weight) end
function M.Embedding:details() return ("%d, %d"):format(self.entries, self.width) end

-- Layers without weights: arguments are checked and kept, forward calls the function of ops.
local function plain(name, init, forward, details)
  local cls = class(name)
  cls.init, cls.forward = init, forward
  if details then cls.details = details end
  M[name] = cls
end

plain("PixelNorm", function(self, o)
  self.eps = options.check("PixelNorm", o, { eps = 1e-8 }).eps
end, function(self, x) return F.pixel_norm(x, { eps = self.eps }) end)

--- o: {size, scale_factor, mode = "nearest"|"bilinear", align_corners = false}
plain("Upsample", function(self, o)
  self.options = options.check("Upsample", o, { size = options.none, scale_factor = options.none,
    mode = "nearest", align_corners = false })
end, function(self, x) return F.interpolate(x, self.options) end, function(self)
  local o = self.options
  local s = o.size or o.scale_factor
  return ("%s=%s, mode=%s"):format(o.size and "size" or "scale_factor",
    type(s) == "table" and options.shape(s) or tostring(s), o.mode)
end)

local function kernel_details(self)
  return type(self.kernel) == "table" and options.shape(self.kernel) or tostring(self.kernel)
end

--- kernel, {stride = kernel, padding = 0, count_include_pad = true}
plain("AvgPool2d", function(self, kernel, o)
  self.kernel = kernel
  self.options = options.check("AvgPool2d", o, { stride = options.none, padding = 0,
    count_include_pad = true })
end, function(self, x) return F.avg_pool2d(x, self.kernel, self.options) end, kernel_details)

--- kernel, {stride = kernel, padding = 0}
plain("MaxPool2d", function(self, kernel, o)
  self.kernel = kernel
  self.options = options.check("MaxPool2d", o, { stride = options.none, padding = 0 })
end, function(self, x) return F.max_pool2d(x, self.kernel, self.options) end, kernel_details)

plain("AdaptiveAvgPool2d", function(self, size) self.kernel = size end,
  function(self, x) return F.adaptive_avg_pool2d(x, self.kernel) end, kernel_details)

plain("PixelShuffle", function(self, r) self.kernel = count("PixelShuffle", "the factor", r) end,
  function(self, x) return F.pixel_shuffle(x, self.kernel) end, kernel_details)
plain("PixelUnshuffle", function(self, r)
  self.kernel = count("PixelUnshuffle", "the factor", r)
end, function(self, x) return F.pixel_unshuffle(x, self.kernel) end, kernel_details)

--- p (default 0.5), {generator}
plain("Dropout", function(self, p, o)
  self.p = p or 0.5
  self.generator = options.check("Dropout", o, { generator = options.none }).generator
end, function(self, x)
  return F.dropout(x, self.p, { training = self.training, generator = self.generator })
end, function(self) return "p=" .. self.p end)

--- Dimensions first … last as one (default 2 … the last).
plain("Flatten", function(self, first, last) self.first, self.last = first or 2, last or -1 end,
  function(self, x) return x:flatten(self.first, self.last) end)

--- Everything but the batch in another shape: Reshape{4, 4, 512}, or Reshape(4, 4, 512).
plain("Reshape", function(self, first, ...)
  self.shape = type(first) == "table" and first or { first, ... }
end, function(self, x)
  return x:reshape { x.shape[1], unpack(self.shape) }
end, function(self) return options.shape(self.shape) end)

plain("Identity", function() end, function(_, x) return x end)

--- Layers one after the other: Sequential{a, b, …} or Sequential(a, b, …). Children are "1", "2", …
M.Sequential = class "Sequential"
function M.Sequential:init(first, ...)
  local layers = first
  if first == nil then layers = {}
  elseif is_module(first) or type(first) ~= "table" then layers = { first, ... } end
  for i = 1, #layers do
    if not is_module(layers[i]) then
      misuse(("Sequential: entry %d is a %s, expected a layer"):format(i, type(layers[i])))
    end
    self:add(layers[i])
  end
end
--- Appends a layer.
function M.Sequential:add(layer)
  self[tostring(#self._names + 1)] = layer
  return self
end
-- Layers whose forward also applies a leaky ReLU, when it is told its slope.
local function takes_slope(layer)
  return layer.forward == M.BatchNorm2d.forward or layer.forward == M.Conv2d.forward
end

-- Convolution or batch normalisation and the (leaky) ReLU right after it run as one.
function M.Sequential:forward(x)
  local names, i = self._names, 1
  while i <= #names do
    local layer, following = self[names[i]], self[names[i + 1]]
    local slope = following and takes_slope(layer) and following:fusible_slope()
    if slope then
      x, i = layer(x, slope), i + 2
    else
      x, i = layer(x), i + 1
    end
  end
  return x
end
--- Layer i (negative: from the end).
function M.Sequential:at(i)
  return rawget(self, tostring(i > 0 and i or #self._names + i + 1))
end

return M
