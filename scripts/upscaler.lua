-- Teaches two small networks to enlarge covers, by 4 and by 2, better than Lanczos does: `daub
-- paint` uses them when the file lies in its run. Ctrl-C loses nothing; the same command goes on.
local cli = require "daub.cli"
local o = cli.parse(arg, {
  name = "upscaler", summary = "teaches networks to enlarge what is painted",
  usage = "COLLECTION --out RUN",
  positional = { { "collection", help = "collection, or a folder of pictures" } },
  options = {
    { "out", type = "path", value = "RUN", required = true,
      help = "folder of a run, or a file: NAME.safetensors" },
    { "minutes", type = "number", value = "M", min = 0,
      help = "time to learn (default: 15, or as --steps takes)" },
    { "steps", type = "integer", value = "N", min = 1, help = "learn until step N" },
    { "seed", type = "integer", value = "N", min = 0, default = 1, help = "random numbers" },
    { "features", type = "integer", value = "N", min = 4, max = 256, default = 32,
      help = "channels of the networks" },
    { "layers", type = "integer", value = "N", min = 1, max = 64, default = 8,
      help = "convolutions between the first and the last" },
    { "rate", type = "number", value = "R", min = 0, max = 1, default = 1e-3,
      help = "learning rate at the start; it falls to a fiftieth" },
    { "batch", type = "integer", value = "N", min = 1, max = 1024, default = 16,
      help = "crops of 96x96 in a step" },
  },
})
local Model = require "daub.upscale.model"
local gathered = require "daub.pictures"
local crops = require "daub.upscale.crops"
local daub = require "daub"
local data = require "daub.learn.data"
local judge = require "daub.upscale.judge"
local network = require "daub.upscale.network"
local optim = require "daub.optim"
local session = require "daub.upscale.session"
local system = require "daub.core.system"
local report = cli.reporter(o)

local function must(value, message)
  if not value then cli.fail("upscaler: " .. message) end
  return value
end

local function finish(found, path)
  for _, entry in ipairs(found) do
    report:event { event = "measured", route = entry.route, weight = entry.weight,
      clean = entry.clean, spoilt = entry.spoilt }
  end
  report:say(judge.text(found))
  report:event { event = "done", upscaler = path }
  report:say(path)
  return path
end

-- The pictures, a tenth of them held out, and where the result goes.
local pictures = must(gathered.of(o.collection))
must(#pictures >= data.fewest, ("%s: %d pictures are too few to learn from and hold some out (%d "
  .. "expected, collect more)"):format(o.collection, #pictures, data.fewest))
local train, held = data.split(pictures)
local path = o.out:match("%.safetensors$") and o.out or o.out .. "/" .. Model.name
must(system.make_directory(path:match("^(.*)/") or "."))

local settings = { seed = o.seed, features = o.features, layers = o.layers, rate = o.rate,
  batch = o.batch }
local minutes = not o.steps and (o.minutes or 15) or nil
local key = session.key(pictures, settings)
local before = system.stat(path) and Model.load(path)
if before and before.about.key == key and before.about.steps_asked == o.steps
  and before.about.minutes == minutes then
  return finish(before.about.found, path)
end

-- Learning.
daub.seed(o.seed)
local model, optimisers = Model.new(settings), {}
for _, factor in ipairs(network.factors) do
  optimisers[factor] = optim.Adam(model.nets[factor]:parameters(), { lr = o.rate })
end
local s = must(session.start { model = model, optimisers = optimisers, report = report,
  crops = function(position)
    return crops.open(train, { seed = o.seed, batch = o.batch, side = 96, position = position })
  end,
  seed = o.seed, path = path, key = key, steps = o.steps, minutes = minutes })
while s:continues() do
  local losses = {}
  for _, factor in ipairs(network.factors) do
    local adam = optimisers[factor]
    local low, rest = s:pair(factor)
    local loss = (model.nets[factor](low) - rest):abs():mean()
    loss:backward()
    adam.options.lr = o.rate * s:cooling()
    adam:step()
    adam:zero_grad()
    losses["x" .. factor] = loss
  end
  s:stepped(losses)
end
s:finish()
local again = ("step %d is saved (the same command goes on)"):format(s.done)
if s.interrupted then cli.interrupted(again) end

-- Measuring, and the file.
report:progress("measuring with held-out covers")
local covers = judge.covers(held)
if system.interrupted() then cli.interrupted(again) end
must(covers, "no two held-out pictures of one size to measure with")
local found = judge.measure(model, covers, { seed = o.seed })
if not found then cli.interrupted(again) end
model.about = { key = key, found = found, covers = covers.shape[1], width = covers.shape[3],
  height = covers.shape[2], steps = s.done, steps_asked = o.steps, minutes = minutes,
  settings = settings, pictures = #train, collection = o.collection, version = daub.version }
must(model:save(path))
s:forget()
report:done()
return finish(found, path)
