-- The covers a training learns from (without the held-out tenth), as one tensor for other programs:
-- "covers", u8 {N, height, width, 3}, in a safetensors file.
--
--   daub tests/bench/export.lua COLLECTION --size 192x64 --out covers.safetensors
local cli = require "daub.cli"
local o = cli.parse(arg, {
  name = "tests/bench/export.lua", summary = "the covers a training learns from, as one tensor",
  usage = "COLLECTION --out FILE",
  positional = { { "collection", help = "collection, or a folder of pictures" } },
  options = {
    { "out", type = "path", value = "FILE", required = true, help = "safetensors file" },
    { "size", type = "size", value = "WxH", default = { width = 192, height = 64 },
      help = "of the pictures (default: 192x64)" },
  },
})
local gathered = require "daub.pictures"
local data = require "daub.learn.data"
local safetensors = require "daub.safetensors"
local tensor = require "daub.tensor"

local function must(value, message)
  if not value then cli.fail("export: " .. message) end
  return value
end

local pictures = must(gathered.of(o.collection))
local dataset = must(data.open((data.split(pictures)), { width = o.size.width,
  height = o.size.height, cache = o.collection .. "/cache" }))
local list = {}
for i = 1, dataset:info().count do list[i] = tensor.wrap(dataset:picture(i)) end
must(safetensors.save(o.out, { covers = tensor.stack(list) }))
print(("%d covers of %dx%d"):format(#list, o.size.width, o.size.height))
