-- Paints covers from a run: single ones at a network's size, a grid of many small ones, a strip
-- from one to another, a walk through several.
local cli = require "daub.cli"
local sizes = require "daub.sizes"
local themes = require "daub.looks.themes"
local o = cli.parse(arg, {
  name = "paint", summary = "paints covers from a run", usage = "RUN --out DIR",
  positional = { { "run", help = "folder of a run" } },
  options = {
    { "out", type = "path", value = "DIR", required = true, help = "where the pictures go" },
    { "count", type = "integer", value = "N", min = 1, max = 10000,
      help = "pictures (default: 12, none with --grid; of a strip: 9; on a walk: 8)" },
    { "for", type = "choice", value = "NETWORK", choices = sizes.names,
      help = "size and bytes of a network's cover (default: x)" },
    { "size", type = "size", value = "WxH", help = "any other size" },
    { "grid", type = "size", value = "CxR",
      help = "one picture of C columns and R rows of small ones" },
    { "best-of", type = "integer", value = "N", min = 1, max = 10000,
      help = "the best of N, which differ: by the critic, sharpness, distance to the covers" },
    { "allow-copies", type = "flag",
      help = "also paintings that are nearly covers, which others replace otherwise" },
    { "calm", type = "flag", help = "nearer to what is usual: latents times 0.75" },
    { "wild", type = "flag", help = "farther from it: times 1.25" },
    { "walk", type = "integer", value = "FRAMES", min = 2, max = 100000,
      help = "a closed walk through paintings: PNGs, animated WebP, MP4 if there is ffmpeg" },
    { "between", type = "string", value = "A,B",
      help = "a strip from painting A to B, each a number or SEED:NUMBER" },
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
local data = require "daub.core.data"
local draw = require "daub.paint.draw"
local hang = require "daub.paint.hang"
local near = require "daub.paint.near"
local plan = require "daub.learn.plan"
local request = require "daub.paint.request"
local run = require "daub.learn.run"
local sample = require "daub.paint.sample"
local search = require "daub.paint.search"
local system = require "daub.core.system"
local report = cli.reporter(o)

local function must(value, message)
  if not value then cli.fail("paint: " .. message) end
  return value, message
end
local ask, mistake = request.read(o)
if not ask then cli.exit(2, "paint: " .. mistake) end

-- The run's averaged generator and its critic, as its best checkpoint has them.
local r = must(run.read(o.run))
local step, checkpoint = must(r:checkpoint(o.step))
local options, state = r.options, must(r:load(checkpoint))
local painter = must(plan.painter(options, state, { theme = o.theme, palette = ask.colours }))
local finder = search.new(painter, { seed = o.seed, latent = options.settings.latent,
  theme = o.theme, themes = o.theme and must(plan.themes(state, r:dataset())),
  palette = ask.colours })
must(system.make_directory(o.out))
local enlarger = must(apply.of_run(o.run, o.upscale))
report:note("pictures are enlarged by " .. enlarger.by)

-- What the run learnt from, when it is still there.
local dataset = r:dataset() and data.open(r:dataset())
if not dataset then report:note("the covers it learnt from are gone: copies cannot be told") end
local index = dataset and near.open(dataset, r:dataset())

local wall = hang.new { out = o.out, painter = painter, enlarger = enlarger, report = report,
  dataset = dataset, near = index, must = must, mark = ask.mark,
  provenance = { run = must(system.realpath(o.run)), step = step,
    checkpoint = must(system.sha256_file(checkpoint)), recipe = options.recipe, seed = o.seed,
    scale = ask.scale, best_of = o.best_of } }
local drawing = draw.new { painter = painter, near = index, allow_copies = o.allow_copies,
  critic = o.best_of and plan.critic(options, state),
  finder = finder, scale = ask.scale,
  progress = function(done, count)
    report:progress(("drawing %d of %d"):format(done, count), done / count)
  end }

if ask.kind == "strip" then
  for _, pick in ipairs(ask.pair) do
    pick.z = sample.latent(pick.seed, pick.index, options.settings.latent) * ask.scale
  end
  return { wall:strip(ask.pair[1], ask.pair[2], ask.count) }
end
local function draws(count)
  local picks, told = must(drawing:take(count, o.best_of))
  if system.interrupted() then cli.interrupted("nothing is painted yet") end
  for _, words in ipairs(draw.words(told, #picks, count)) do report:note(words) end
  return picks
end
if ask.kind == "walk" then
  local path = wall:walk(draws(ask.count), o.walk, ask.size)
  if not path then cli.interrupted("the frames painted so far are kept") end
  report:done()
  return { path }
end
local paths = {}
if o.grid then
  wall:grid(draws(ask.cells), o.grid, { theme = o.theme, palette = o.palette })
end
for i, pick in ipairs(ask.count > 0 and draws(ask.count) or {}) do
  report:progress(("painting %d of %d"):format(i, ask.count), i / ask.count)
  paths[i] = wall:single(pick, ask.size)
  if system.interrupted() then cli.interrupted(("%d of %d are painted"):format(i, ask.count)) end
end
report:done()
return paths
