-- Paints covers from a run: single ones at a network's size, or a grid of many small ones.
local cli = require "daub.cli"
local sizes = require "daub.paint.sizes"
local themes = require "daub.looks.themes"
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
    { "step", type = "string", value = "N|best|latest",
      help = "the run's checkpoint (default: the best, or the latest where none was measured)" },
    { "format", type = "choice", choices = { "jpeg", "png" }, default = "jpeg",
      help = "of single pictures" },
    { "theme", type = "choice", value = "NAME", choices = themes.names,
      help = "only paintings called so" },
    { "palette", type = "string", value = "COLOURS",
      help = "paintings in these colours, one to five: \"#1b2a49,#f2a65a\"" },
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
local palette = require "daub.looks.palette"
local sample = require "daub.paint.sample"
local search = require "daub.paint.search"
local system = require "daub.core.system"
local report = cli.reporter(o)

local function must(value, message)
  if not value then cli.fail("paint: " .. message) end
  return value, message
end
if o["for"] and o.size then cli.exit(2, "paint: --for and --size exclude each other") end
if o.size and (math.max(o.size.width, o.size.height) > 65535
  or o.size.width * o.size.height > 10 ^ 8) then
  cli.exit(2, "paint: --size: at most 65535 a side and 100 megapixels")
end
if o.grid and o.grid.width * o.grid.height > 10000 then
  cli.exit(2, "paint: --grid: at most 10000 pictures")
end
local colours, wrong
if o.palette then colours, wrong = palette.parse(o.palette) end
if wrong then cli.exit(2, "paint: --palette: " .. wrong) end

-- The run's averaged generator, as its best checkpoint has it.
local r = must(run.read(o.run))
local step, checkpoint = must(r:checkpoint(o.step))
local options, state = r.options, must(r:load(checkpoint))
local network = must(plan.painter(options, state, { theme = o.theme, palette = colours }))
local finder = search.new(network, { seed = o.seed, latent = options.settings.latent,
  theme = o.theme, themes = o.theme and must(plan.themes(state, r:dataset())), palette = colours })
local provenance = { run = must(system.realpath(o.run)), step = step,
  checkpoint = must(system.sha256_file(checkpoint)), recipe = options.recipe, seed = o.seed }
must(system.make_directory(o.out))

local enlarger = must(apply.of_run(o.run, o.upscale))
report:note("pictures are enlarged by " .. enlarger.by)

-- The collection's nearest covers, when the pictures the run learnt from are still there.
local dataset = r:dataset() and data.open(r:dataset())
local function write(name, bytes, about)
  local path = o.out .. "/" .. name
  for key, value in pairs(provenance) do about[key] = value end
  must(system.write_file(path .. ".json", json.pretty(about)))
  must(system.write_file(path, bytes))
  report:event { event = "painted", path = path }
  report:say(path)
  return path
end

if o.grid then
  local list = {}
  for i = 1, o.grid.width * o.grid.height do
    list[i] = sample.paint(network, (must(finder:find(i))))
    report:progress(("painting %d of %d"):format(i, o.grid.width * o.grid.height))
  end
  local name = ("grid-seed%d-%dx%d.png"):format(o.seed, o.grid.width, o.grid.height)
  write(name, image.encode(image.grid(list, { columns = o.grid.width }), "png"),
    { grid = { columns = o.grid.width, rows = o.grid.height }, theme = o.theme,
      palette = o.palette })
end

local wanted = o.size or sizes.networks[o["for"] or "x"]
local count = o.count or (o.grid and not (o["for"] or o.size) and 0) or 12
local paths = {}
for i = 1, count do
  local z, found = must(finder:find(i))
  local pixels = sample.paint(network, z)
  report:progress(("painting %d of %d"):format(i, count), i / count)
  local large, enlarged = enlarger:enlarge(pixels, wanted.width, wanted.height)
  local bytes = must(sample.encode(large, o.format, wanted.max_bytes))
  local label = o["for"] or (o.size and ("%dx%d"):format(wanted.width, wanted.height)) or "x"
  local ending = o.format == "png" and "png" or "jpg"
  paths[i] = write(("%s-seed%d-%03d.%s"):format(label, o.seed, i, ending), bytes, {
    index = i, latent = z:totable()[1], size = { width = wanted.width, height = wanted.height },
    options = { ["for"] = o["for"], format = o.format }, enlarged = enlarged,
    nearest = dataset and sample.nearest(dataset, pixels), theme = found.theme,
    palette = found.palette,
  })
  if system.interrupted() then cli.interrupted(("%d of %d are painted"):format(i, count)) end
end
report:done()
return paths
