-- Pictures from a generator: latents, painting, encoding under a limit of bytes.
--
--     local z = sample.latent(1, 7, 100)                     -- picture 7 of seed 1
--     local pixels = sample.paint(network, z)                -- f32 {height, width, 3}, -1 … 1
--     local jpeg = image.encode_within(pixels, "jpeg", 700000)
--
-- Picture i of a seed is always the same, however many are painted: each has its own place in the
-- seed's random numbers, and each goes through the network alone. Where many are painted to choose
-- among them, or as the frames of a walk, eight go at once: two to three times as fast.
local autograd = require "daub.autograd"
local core = require "daub.core.array"
local image = require "daub.image"
local random = require "daub.tensor.random"
local tensor = require "daub.tensor"

local M = {}

local APART = 2 ^ 20 -- random numbers between two pictures
local BATCH = 32
M.eight = 8 -- pictures at once; their bits hang on this number, not on which they are

---The latent of one picture: N(0, 1) {1, size}.
---@param seed integer
---@param index integer
---@param size integer
---@return daub.Tensor
function M.latent(seed, index, size)
  return tensor.wrap(core.normal(random.at(seed, index * APART), { 1, size }, "f32"))
end

---@param network daub.Module a generator in eval mode
---@param z daub.Tensor {1, latent}
---@return daub.Tensor f32 {height, width, 3}, -1 … 1
function M.paint(network, z)
  return autograd.no_grad(function() return network(z):select(1, 1) end)
end

---Runs a network over many rows, eight at a time, each bit for bit as among any other seven.
---@param network daub.Module in eval mode
---@param x daub.Tensor {N, …}
---@param dtype? "u8"|"f32" pictures rounded to steps of 255 (the default), or numbers as they are
---@return daub.Tensor {N, …}
function M.batch(network, x, dtype)
  local list, count = {}, x.shape[1]
  autograd.no_grad(function()
    for first = 1, count, M.eight do
      local own = math.min(M.eight, count - first + 1)
      local index = {}
      for k = 1, M.eight do index[k] = first + math.min(k, own) - 1 end
      local y = network(x:index_select(1, index)):narrow(1, 1, own):contiguous()
      list[#list + 1] = dtype == "f32" and y or image.from_float(y)
    end
  end)
  return tensor.cat(list, 1)
end

---A picture's layout and colours.
---@param pixels daub.Tensor u8 {height, width, 3}
---@return daub.Tensor f32 {8, 24, 3}
function M.thumbnail(pixels)
  return image.resize(image.to_float(pixels), 24, 8, { filter = "box" })
end

---Many pictures as `paint` has them, a batch at a time and rounded to steps of 255: to measure.
---@param network daub.Module a generator in eval mode
---@param o {seed: integer, count: integer, latent: integer} pictures 1 … count of the seed
---@return daub.Tensor u8 {count, height, width, 3}
function M.many(network, o)
  local list = {}
  for first = 1, o.count, BATCH do
    local z = {}
    for i = first, math.min(first + BATCH - 1, o.count) do
      z[#z + 1] = M.latent(o.seed, i, o.latent)
    end
    local painted = autograd.no_grad(function() return network(tensor.cat(z, 1)) end)
    list[#list + 1] = image.from_float(painted)
  end
  return tensor.cat(list, 1)
end

---The three pictures of a dataset that a painting is nearest to.
---@param dataset daub.core.Dataset of its size
---@param pixels daub.Tensor f32 {height, width, 3}
---@return {sha256: string, distance: number}[]
function M.nearest(dataset, pixels)
  local d, order, list = dataset:distances(image.from_float(pixels).array):totable(), {}, {}
  for i = 1, #d do order[i] = i end
  table.sort(order, function(a, b) return d[a] < d[b] or d[a] == d[b] and a < b end)
  for i = 1, math.min(3, #d) do
    list[i] = { sha256 = dataset:id(order[i]), distance = d[order[i]] }
  end
  return list
end

return M
