-- Paints covers from a run: single ones at a network's size, or a grid of many small ones.
local cli = require "daub.cli"
local sizes = require "daub.paint.sizes"
local o = cli.parse(arg, {
  name = "paint", summary = "paints covers from a run", usage = "RUN --out DIR",
  positional = { { "run", help = "folder of a run" } },
  options = {
    { "out", type = "path", value = "DIR", required = true, help = "where the pictures go" },
    { "count", type = "integer", value = "N", min = 1, max = 10000,
      help = "single pictures (default: 12, none with --grid)" },
    { "for", type = "choice", value = "NETWORK", choices = sizes.names,
      help = "size and bytes of a network's cover (default: x)" },
    { "size", type = "size", value = "WxH", help = "any other size" },
    { "grid", type = "size", value = "CxR",
      help = "one picture of C columns and R rows of small ones" },
    { "seed", type = "integer", value = "N", default = 1, min = 0, max = 2 ^ 53,
      help = "which pictures: the same number paints the same ones" },
    { "format", type = "choice", choices = { "jpeg", "png" }, default = "jpeg",
      help = "of single pictures" },
    { "upscale", type = "choice", choices = { "learned", "lanczos" },
      help = "how pictures are enlarged (default: learned where the run has an upscaler)" },
  },
})
local apply = require "daub.upscale.apply"
local run = require "daub.learn.run"
local plan = require "daub.learn.plan"
local data = require "daub.core.data"
local image = require "daub.image"
local json = require "daub.json"
local sample = require "daub.paint.sample"
local system = require "daub.core.system"
local report = cli.reporter(o)

local function must(value, message)
  if not value then cli.fail("paint: " .. message) end
  return value
end
if o["for"] and o.size then cli.exit(2, "paint: --for and --size exclude each other") end
if o.size and (math.max(o.size.width, o.size.height) > 65535
  or o.size.width * o.size.height > 10 ^ 8) then
  cli.exit(2, "paint: --size: at most 65535 a side and 100 megapixels")
end
if o.grid and o.grid.width * o.grid.height > 10000 then
  cli.exit(2, "paint: --grid: at most 10000 pictures")
end

-- The run's averaged generator, as its last checkpoint has it.
local r = must(run.read(o.run))
local step, checkpoint = r:latest()
must(step, o.run .. ": has no checkpoint yet (train on)")
local options = r.options
local network = must(plan.painter(options, must(r:load())))
local provenance = { run = must(system.realpath(o.run)), step = step,
  checkpoint = must(system.sha256_file(checkpoint)), recipe = options.recipe, seed = o.seed }
must(system.make_directory(o.out))

local enlarger = must(apply.of_run(o.run, o.upscale))
report:note("pictures are enlarged by " .. enlarger.by)

-- The collection's nearest covers, when the pictures the run learnt from are still there.
local dataset = r:dataset() and data.open(r:dataset())
local function nearest(pixels)
  if not dataset then return nil end
  local d, list = dataset:distances(image.from_float(pixels).array):totable(), {}
  local order = {}
  for i = 1, #d do order[i] = i end
  table.sort(order, function(a, b) return d[a] < d[b] or d[a] == d[b] and a < b end)
  for i = 1, math.min(3, #d) do
    list[i] = { sha256 = dataset:id(order[i]), distance = d[order[i]] }
  end
  return list
end

local function write(name, bytes, about)
  local path = o.out .. "/" .. name
  for key, value in pairs(provenance) do about[key] = value end
  must(system.write_file(path .. ".json", json.pretty(about)))
  must(system.write_file(path, bytes))
  report:event { event = "painted", path = path }
  report:say(path)
  return path
end

local latent = options.settings.latent
if o.grid then
  local list = {}
  for i = 1, o.grid.width * o.grid.height do
    list[i] = sample.paint(network, sample.latent(o.seed, i, latent))
    report:progress(("painting %d of %d"):format(i, o.grid.width * o.grid.height))
  end
  local name = ("grid-seed%d-%dx%d.png"):format(o.seed, o.grid.width, o.grid.height)
  write(name, image.encode(image.grid(list, { columns = o.grid.width }), "png"),
    { grid = { columns = o.grid.width, rows = o.grid.height } })
end

local wanted = o.size or sizes.networks[o["for"] or "x"]
local count = o.count or (o.grid and not (o["for"] or o.size) and 0) or 12
local paths = {}
for i = 1, count do
  local z = sample.latent(o.seed, i, latent)
  local pixels = sample.paint(network, z)
  report:progress(("painting %d of %d"):format(i, count), i / count)
  local large, enlarged = enlarger:enlarge(pixels, wanted.width, wanted.height)
  local bytes = must(sample.encode(large, o.format, wanted.max_bytes))
  local label = o["for"] or (o.size and ("%dx%d"):format(wanted.width, wanted.height)) or "x"
  local ending = o.format == "png" and "png" or "jpg"
  paths[i] = write(("%s-seed%d-%03d.%s"):format(label, o.seed, i, ending), bytes, {
    index = i, latent = z:totable()[1], size = { width = wanted.width, height = wanted.height },
    options = { ["for"] = o["for"], format = o.format }, enlarged = enlarged,
    nearest = nearest(pixels),
  })
  if system.interrupted() then cli.interrupted(("%d of %d are painted"):format(i, count)) end
end
report:done()
return paths
