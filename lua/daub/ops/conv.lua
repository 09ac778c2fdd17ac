-- Convolution, pooling, resampling: images are {N, H, W, C}, weights {kh, kw, in / groups, out}.
--
-- The three bilinear maps of a convolution are each others' gradients:
--   y  = conv(x, w)            dx = input_grad(dy, w)      dw = weight_grad(x, dy)
-- and conv_transpose2d's forward is input_grad.
local A = require "daub.core.array"
local C = require "daub.core.conv"
local autograd = require "daub.autograd"
local class = require "daub.tensor.class"
local options = require "daub.options"

local wrap, record, linear_map = class.wrap, autograd.record, class.linear_map
local slope_gradient = class.slope_gradient
local misuse, text = options.misuse, options.shape

local M = {}

local conv, input_grad, weight_grad

-- o: the core's {stride = {h, w}, padding = {h, w}, groups}; slope: of the leaky ReLU after it.
function conv(x, w, o, bias, slope)
  local y = wrap(C.conv2d(x.array, w.array, bias and bias.array, o, slope))
  local xs, ws = x.shape, w.shape
  return record(y, "conv2d", { x, w, bias }, function(g, need)
    g = slope_gradient(y, g, slope)
    return need[1] and input_grad(g, w, xs[2], xs[3], o),
      need[2] and weight_grad(x, g, ws[1], ws[2], o), need[3] and g:sum({ 1, 2, 3 })
  end, { x, w, slope and y })
end

function input_grad(dy, w, height, width, o)
  local x = wrap(C.conv2d_input_grad(dy.array, w.array, height, width, o))
  local ws = w.shape
  return record(x, "conv_transpose2d", { dy, w }, function(g, need)
    return need[1] and conv(g, w, o), need[2] and weight_grad(g, dy, ws[1], ws[2], o)
  end, { dy, w })
end

function weight_grad(x, dy, kh, kw, o)
  local w = wrap(C.conv2d_weight_grad(x.array, dy.array, kh, kw, o))
  local xs = x.shape
  return record(w, "conv2d_weight_grad", { x, dy }, function(g, need)
    return need[1] and input_grad(dy, g, xs[2], xs[3], o), need[2] and conv(x, g, o)
  end, { x, dy })
end

local function expect_image(op, x)
  class.expect(op, x, "x")
  if #x.shape ~= 4 then
    misuse(("%s: x is %s, expected {N, H, W, C}"):format(op, text(x.shape)))
  end
end

local function expect_weight(op, x, w, bias, channels, out, groups)
  class.expect(op, w, "the weight")
  if #w.shape ~= 4 then
    misuse(("%s: the weight is %s, expected {kh, kw, in, out}"):format(op, text(w.shape)))
  end
  if x.dtype ~= w.dtype then
    misuse(("%s: x is %s, the weight %s"):format(op, x.dtype, w.dtype))
  end
  if x.shape[4] ~= channels then
    misuse(("%s: x %s has %d channels, weight %s expects %d"):format(op, text(x.shape), x.shape[4],
      text(w.shape), channels))
  end
  if w.shape[4] % groups ~= 0 then
    misuse(("%s: %d channels cannot be split into %d groups"):format(op, w.shape[4], groups))
  end
  if bias and (#bias.shape ~= 1 or bias.shape[1] ~= out) then
    misuse(("%s: bias is %s, expected {%d}"):format(op, text(bias.shape), out))
  end
end

local function groups_of(op, o)
  if type(o.groups) ~= "number" or o.groups < 1 or o.groups % 1 ~= 0 then
    misuse(("%s: groups is %s, expected a whole number of at least 1"):format(op,
      tostring(o.groups)))
  end
  return o.groups
end

local conv_defaults = { bias = options.none, stride = 1, padding = 0, groups = 1,
  negative_slope = options.none }

--- Convolution. Sizes: OH = floor((H + 2 * padding - kh) / stride) + 1. With negative_slope also
--- the leaky ReLU of it, in the same pass.
---@param x daub.Tensor {N, H, W, C}
---@param w daub.Tensor {kh, kw, C / groups, O}
---@param o? table bias: daub.Tensor, stride: whole number or pair, padding: whole number or pair,
--- groups: integer, negative_slope: number of at least 0
---@return daub.Tensor y {N, OH, OW, O}
function M.conv2d(x, w, o)
  o = options.check("conv2d", o, conv_defaults)
  local groups = groups_of("conv2d", o)
  expect_image("conv2d", x)
  class.expect("conv2d", w, "the weight")
  expect_weight("conv2d", x, w, o.bias, (w.shape[3] or 0) * groups, w.shape[4], groups)
  local sh, sw = options.pair("conv2d", "stride", o.stride, 1)
  local ph, pw = options.pair("conv2d", "padding", o.padding, 0)
  local xs, ws = x.shape, w.shape
  if xs[2] + 2 * ph < ws[1] or xs[3] + 2 * pw < ws[2] then
    misuse(("conv2d: kernel %d x %d is larger than x %s with padding %d, %d"):format(ws[1], ws[2],
      text(xs), ph, pw))
  end
  if o.negative_slope then options.number("conv2d", "negative_slope", o.negative_slope, 0) end
  return conv(x, w, { stride = { sh, sw }, padding = { ph, pw }, groups = groups }, o.bias,
    o.negative_slope)
end

local transpose_defaults = { bias = options.none, stride = 1, padding = 0, output_padding = 0,
  groups = 1 }

--- Transposed convolution: the gradient of the conv2d that has this weight, so the weight's last
--- axis is the input. OH = (H - 1) * stride - 2 * padding + kh + output_padding.
---@param x daub.Tensor {N, H, W, C}
---@param w daub.Tensor {kh, kw, O / groups, C}
---@param o? table bias: daub.Tensor, stride: whole number or pair, padding: whole number or pair,
--- output_padding: whole number or pair, groups: integer
---@return daub.Tensor y {N, OH, OW, O}
function M.conv_transpose2d(x, w, o)
  local op = "conv_transpose2d"
  o = options.check(op, o, transpose_defaults)
  local groups = groups_of(op, o)
  expect_image(op, x)
  class.expect(op, w, "the weight")
  expect_weight(op, x, w, o.bias, w.shape[4], (w.shape[3] or 0) * groups, groups)
  local sh, sw = options.pair(op, "stride", o.stride, 1)
  local ph, pw = options.pair(op, "padding", o.padding, 0)
  local eh, ew = options.pair(op, "output_padding", o.output_padding, 0)
  if eh >= sh or ew >= sw then
    misuse(("%s: output_padding %d, %d must be smaller than stride %d, %d"):format(op, eh, ew, sh,
      sw))
  end
  local height = (x.shape[2] - 1) * sh - 2 * ph + w.shape[1] + eh
  local width = (x.shape[3] - 1) * sw - 2 * pw + w.shape[2] + ew
  if height < 1 or width < 1 then
    misuse(("%s: x %s with weight %s and padding %d, %d leaves nothing"):format(op, text(x.shape),
      text(w.shape), ph, pw))
  end
  local y = input_grad(x, w, height, width,
    { stride = { sh, sw }, padding = { ph, pw }, groups = groups })
  return o.bias and y + o.bias or y
end

-- The core's pooling options from kernel and {stride =, padding =}.
local function pooling(op, x, kernel, o)
  expect_image(op, x)
  local kh, kw = options.pair(op, "kernel", kernel, 1)
  local sh, sw = options.pair(op, "stride", o.stride or { kh, kw }, 1)
  local ph, pw = options.pair(op, "padding", o.padding, 0)
  if ph > kh / 2 or pw > kw / 2 then
    misuse(("%s: padding %d, %d is more than half the kernel %d, %d"):format(op, ph, pw, kh, kw))
  end
  if x.shape[2] + 2 * ph < kh or x.shape[3] + 2 * pw < kw then
    misuse(("%s: kernel %d x %d is larger than x %s"):format(op, kh, kw, text(x.shape)))
  end
  return { kernel = { kh, kw }, stride = { sh, sw }, padding = { ph, pw },
    count_include_pad = o.count_include_pad }
end

--- Means of windows.
---@param x daub.Tensor {N, H, W, C}
---@param kernel integer|integer[]
---@param o? table stride: whole number or pair, padding: whole number or pair, count_include_pad:
--- boolean; stride defaults to kernel
function M.avg_pool2d(x, kernel, o)
  o = options.check("avg_pool2d", o, { stride = options.none, padding = 0,
    count_include_pad = true })
  local c = pooling("avg_pool2d", x, kernel, o)
  local height, width = x.shape[2], x.shape[3]
  return linear_map("avg_pool2d", x, function(a) return C.avg_pool2d(a, c) end,
    function(g) return C.avg_pool2d_grad(g, height, width, c) end,
    function(g, sum) C.avg_pool2d_grad(g, height, width, c, sum) end)
end

--- Largest elements of windows; padding never wins.
---@param x daub.Tensor {N, H, W, C}
---@param kernel integer|integer[]
---@param o? {stride: integer|integer[], padding: integer|integer[]} stride defaults to kernel
function M.max_pool2d(x, kernel, o)
  o = options.check("max_pool2d", o, { stride = options.none, padding = 0 })
  local c = pooling("max_pool2d", x, kernel, o)
  local height, width = x.shape[2], x.shape[3]
  local y, index = C.max_pool2d(x.array, c)
  return record(wrap(y), "max_pool2d", { x }, function(dy)
    return linear_map("max_pool2d_grad", dy,
      function(g) return C.max_pool2d_grad(g, index, height, width) end,
      function(g) return C.max_pool2d_gather(g, index) end)
  end)
end

--- Means of windows chosen so that the result is `size` (h, or {h, w}).
function M.adaptive_avg_pool2d(x, size)
  expect_image("adaptive_avg_pool2d", x)
  local oh, ow = options.pair("adaptive_avg_pool2d", "size", size, 1)
  local height, width = x.shape[2], x.shape[3]
  return linear_map("adaptive_avg_pool2d", x,
    function(a) return C.adaptive_avg_pool2d(a, oh, ow) end,
    function(g) return C.adaptive_avg_pool2d_grad(g, height, width) end)
end

-- The size asked for, and the two factors when they do not give whole sizes.
local function target_size(x, o)
  if (o.size == nil) == (o.scale_factor == nil) then
    misuse("interpolate: give either size or scale_factor")
  end
  if o.size then return options.pair("interpolate", "size", o.size, 1) end
  local s = o.scale_factor
  local sh, sw = s, s
  if type(s) == "table" then sh, sw = s[1], s[2] end
  if type(sh) ~= "number" or type(sw) ~= "number" or sh <= 0 or sw <= 0 then
    misuse("interpolate: scale_factor must be a positive number or a pair of them")
  end
  local h, w = x.shape[2] * sh, x.shape[3] * sw
  local oh, ow = options.pair("interpolate", "size", { math.floor(h), math.floor(w) }, 1)
  if (oh ~= h or ow ~= w) and not o.align_corners then return oh, ow, { sh, sw } end
  return oh, ow
end

-- One dimension read at places i / factor, as PyTorch does where factor gives no whole size.
local function resample(x, dim, count, factor, mode)
  local n, first, second, shares = x.shape[dim], {}, {}, {}
  for i = 0, count - 1 do
    local at = mode == "nearest" and i / factor or math.max((i + 0.5) / factor - 0.5, 0)
    local k = math.min(math.floor(at), n - 1)
    first[i + 1], second[i + 1], shares[i + 1] = k + 1, math.min(k + 2, n), at - k
  end
  local a = x:index_select(dim, first)
  if mode == "nearest" then return a end
  local shape = { 1, 1, 1, 1 }
  shape[dim] = count
  local share = wrap(A.from(shares, shape, x.dtype))
  return a + (x:index_select(dim, second) - a) * share
end

--- Another size, by the nearest or by bilinear interpolation (PyTorch's rules).
---@param x daub.Tensor {N, H, W, C}
---@param o table size: whole number or pair, scale_factor: number|number[], mode:
--- "nearest"|"bilinear", align_corners: boolean
function M.interpolate(x, o)
  o = options.check("interpolate", o, { size = options.none, scale_factor = options.none,
    mode = "nearest", align_corners = false })
  expect_image("interpolate", x)
  options.choice("interpolate", "mode", o.mode, { "nearest", "bilinear" })
  local oh, ow, factors = target_size(x, o)
  if factors then
    return resample(resample(x, 2, oh, factors[1], o.mode), 3, ow, factors[2], o.mode)
  end
  local height, width, align = x.shape[2], x.shape[3], o.align_corners
  if o.mode == "nearest" then
    if align then misuse("interpolate: align_corners is for mode = \"bilinear\"") end
    return linear_map("interpolate", x, function(a) return C.upsample_nearest(a, oh, ow) end,
      function(g) return C.upsample_nearest_grad(g, height, width) end)
  end
  return linear_map("interpolate", x,
    function(a) return C.upsample_bilinear(a, oh, ow, align) end,
    function(g) return C.upsample_bilinear_grad(g, height, width, align) end)
end

local function factor(op, r)
  if type(r) ~= "number" or r < 1 or r % 1 ~= 0 then
    misuse(("%s: the factor is %s, expected a whole number of at least 1"):format(op, tostring(r)))
  end
  return r
end

--- {N, H, W, C * r * r} to {N, H * r, W * r, C}; channels in PyTorch's order (c, i, j).
function M.pixel_shuffle(x, r)
  expect_image("pixel_shuffle", x)
  factor("pixel_shuffle", r)
  local n, h, w, c = unpack(x.shape)
  if c % (r * r) ~= 0 then
    misuse(("pixel_shuffle: %d channels are no multiple of %d"):format(c, r * r))
  end
  c = c / (r * r)
  return x:reshape { n, h, w, c, r, r }:permute { 1, 2, 5, 3, 6, 4 }:reshape { n, h * r, w * r, c }
end

--- The inverse of pixel_shuffle.
function M.pixel_unshuffle(x, r)
  expect_image("pixel_unshuffle", x)
  factor("pixel_unshuffle", r)
  local n, h, w, c = unpack(x.shape)
  if h % r ~= 0 or w % r ~= 0 then
    misuse(("pixel_unshuffle: %d x %d is no multiple of %d"):format(h, w, r))
  end
  h, w = h / r, w / r
  return x:reshape { n, h, r, w, r, c }:permute { 1, 2, 4, 6, 3, 5 }:reshape { n, h, w, c * r * r }
end

local pad_modes = { "constant", "reflect", "replicate", "circular" }

-- For each place after padding, the 1-based place it reads along a dimension of n.
local function padded_index(mode, n, before, after)
  local list = {}
  for k = 1 - before, n + after do
    local i = k
    if mode == "replicate" then i = math.min(math.max(k, 1), n)
    elseif mode == "circular" then i = (k - 1) % n + 1
    elseif k < 1 then i = 2 - k
    elseif k > n then i = 2 * n - k end
    list[#list + 1] = i
  end
  return list
end

--- Padding. Four numbers {left, right, top, bottom} pad pictures {N, H, W, C}; pairs
--- {{before, after}, …} pad every dimension. Negative numbers crop (mode "constant" only).
---@param x daub.Tensor
---@param pads table
---@param o? {mode: "constant"|"reflect"|"replicate"|"circular", value: number}
function M.pad(x, pads, o)
  o = options.check("pad", o, { mode = "constant", value = 0 })
  class.expect("pad", x, "x")
  options.choice("pad", "mode", o.mode, pad_modes)
  if type(pads) == "table" and #pads == 4 and type(pads[1]) == "number" then
    expect_image("pad", x)
    pads = { { 0, 0 }, { pads[3], pads[4] }, { pads[1], pads[2] }, { 0, 0 } }
  end
  if type(pads) ~= "table" or #pads ~= #x.shape or type(pads[1]) ~= "table" then
    misuse(("pad: expected {left, right, top, bottom} or a pair for each dimension of %s")
      :format(text(x.shape)))
  end
  if o.mode == "constant" then return x:pad(pads, o.value) end
  for dim, p in ipairs(pads) do
    options.wholes("pad", "pair " .. dim, p)
    local n, most = x.shape[dim], math.max(p[1], p[2])
    local limit = o.mode == "reflect" and n - 1 or o.mode == "circular" and n or math.huge
    if math.min(p[1], p[2]) < 0 or most > limit then
      misuse(("pad: %s cannot pad a dimension of %d by %d and %d"):format(o.mode, n, p[1], p[2]))
    end
    if most > 0 then x = x:index_select(dim, padded_index(o.mode, n, p[1], p[2])) end
  end
  return x
end

return M
