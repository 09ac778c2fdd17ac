-- Whether training ends in the same place however convolutions are computed: trains one recipe from
-- the same seeds with direct convolutions; with Winograd's filtering where it is faster (what daub
-- train does), and wherever it fits; and with bf16 products. Compares their losses, and what the
-- averaged painters paint with real pictures.
--
--   daub tests/bench/convergence.lua COLLECTION --steps 2000 --seeds 3 --size 96x32 \
--     --set batch=16 --set ngf=32 --set ndf=32
--
-- Runs are kept in --out: the same command goes on with what was stopped and measures what is done.
local cli = require "daub.cli"
local o = cli.parse(arg, {
  name = "tests/bench/convergence.lua",
  summary = "compares where training ends, with each way of computing convolutions",
  usage = "COLLECTION [OPTIONS]",
  positional = { { "collection", help = "collection, or a folder of pictures" } },
  options = {
    { "out", type = "path", value = "DIR", default = "runs/convergence", help = "where runs go" },
    { "steps", type = "integer", value = "N", min = 2, default = 2000, help = "of each run" },
    { "last", type = "integer", value = "N", min = 1, default = 200,
      help = "steps at the end whose losses are averaged" },
    { "seeds", type = "integer", value = "N", min = 2, default = 3, help = "runs of each way" },
    { "recipe", type = "string", value = "NAME", default = "dcgan", help = "as daub train has it" },
    { "size", type = "size", value = "WxH", default = { width = 96, height = 32 },
      help = "of what is painted" },
    { "set", type = "pair", value = "KEY=VALUE", repeated = true, help = "as daub train has it" },
    { "pictures", type = "integer", value = "N", min = 2, default = 512,
      help = "paintings and real pictures compared" },
  },
})
local autograd = require "daub.autograd"
local conv = require "daub.core.conv"
local core = require "daub.core.data"
local daub = require "daub"
local image = require "daub.image"
local plan = require "daub.learn.plan"
local run = require "daub.learn.run"
local spread = require "daub.bench.spread"
local swd = require "daub.measure.swd"
local system = require "daub.core.system"
local tensor = require "daub.tensor"
local thumbnails = require "daub.measure.thumbnails"
local report = cli.reporter(o)
if o.last >= o.steps then cli.exit(2, "convergence: --last: fewer than --steps expected") end

local ways = {
  { name = "direct", algorithm = "direct", precision = "f32" },
  { name = "winograd", algorithm = "table", precision = "f32" },
  { name = "all-winograd", algorithm = "winograd", precision = "f32" },
}
if daub.info().bf16 then
  ways[#ways + 1] = { name = "bf16", algorithm = "table", precision = "bf16" }
else
  report:note("bf16 is left out: this processor has no bf16 products")
end
local measures = { { "critic", "critic's loss" }, { "generator", "generator's loss" },
  { "swd", "SWD x 1000" }, { "thumbnail_mean", "thumbnails: mean" },
  { "thumbnail_std", "thumbnails: std" } }

local function way_to(way, seed) return ("%s/%s-seed%d"):format(o.out, way.name, seed) end

-- Trains with daub train, with a stop where the losses to be averaged begin: so the log has them.
local function train(way, seed)
  conv.algorithm(way.algorithm)
  for _, steps in ipairs { o.steps - o.last, o.steps } do
    local words = { o.collection, "--out", way_to(way, seed), "--resume", "--recipe", o.recipe,
      "--size", ("%dx%d"):format(o.size.width, o.size.height), "--seed", tostring(seed),
      "--steps", tostring(steps), "--set", "precision=" .. way.precision }
    for _, pair in ipairs(o.set) do
      words[#words + 1] = "--set"
      words[#words + 1] = pair.key .. "=" .. pair.value
    end
    if o.quiet then words[#words + 1] = "--quiet" end
    if o.json then words[#words + 1] = "--json" end
    cli.run_recipe("train", words)
  end
  conv.algorithm("table")
  daub.precision("f32")
end

-- Mean losses of the last steps. What was logged after a checkpoint that a run went back to does
-- not count.
local function losses(r)
  local lines, before, sums = {}, o.steps - o.last, { critic = 0, generator = 0 }
  for _, entry in ipairs(r:entries()) do
    local back = entry.event == "start" or entry.event == "setback"
    while back and #lines > 0 and lines[#lines].step > entry.step do
      lines[#lines] = nil
    end
    if entry.critic and entry.step > o.steps - o.last then lines[#lines + 1] = entry end
  end
  for _, line in ipairs(lines) do
    for name, sum in pairs(sums) do sums[name] = sum + line[name] * (line.step - before) end
    before = line.step
  end
  for name, sum in pairs(sums) do sums[name] = sum / o.last end
  return sums
end

-- Real pictures and others, each `count` of them: f32 {count, height, width, 3}.
local function reals(dataset, count)
  local order = tensor.randperm(dataset:info().count, { generator = tensor.generator(1) })
    :totable()
  local function some(first)
    local list = {}
    for i = 1, count do list[i] = tensor.wrap(dataset:picture(order[first + i])) end
    return image.to_float(tensor.stack(list))
  end
  return some(0), some(count)
end

-- `count` paintings of a run's averaged generator, in steps of 255 like the real ones. All are
-- painted by direct convolutions in f32: what differs is how the painters were taught.
local function paintings(r, count)
  local settings, list = r.options.settings, {}
  local network = plan.network(r.options.recipe).generator(plan.shape(r.options))
  network:load_state(assert(r:load()).average):eval()
  local z = tensor.randn({ count, settings.latent }, { generator = tensor.generator(2) })
  daub.exact(true)
  autograd.no_grad(function()
    for first = 1, count, 32 do
      list[#list + 1] = network(z:narrow(1, first, math.min(32, count - first + 1)))
    end
  end)
  daub.exact(false)
  return image.to_float(image.from_float(tensor.cat(list, 1)))
end

-- What is compared of a set of pictures, and how far two sets are apart.
local function describe(x) return { patches = swd.describe(x), small = thumbnails.of(x) } end

local function between(a, b)
  local apart = swd.between(a.patches, b.patches)
  local mean, std = thumbnails.between(a.small, b.small)
  return { swd = apart.swd, swd_levels = apart.levels, thumbnail_mean = mean,
    thumbnail_std = std }
end

-- 1. Training, seed after seed.
for seed = 1, o.seeds do
  for _, way in ipairs(ways) do
    report:note(("%s, seed %d"):format(way.name, seed))
    train(way, seed)
  end
end

-- 2. Each run, measured.
local dataset = assert(core.open(run.read(way_to(ways[1], 1)):dataset()))
local count = math.min(o.pictures, math.floor(dataset:info().count / 2))
if count < 2 then cli.fail("convergence: " .. o.collection .. ": at least 4 pictures expected") end
local real, others = reals(dataset, count)
real = describe(real)
local floor = between(real, describe(others))
local found = {}
for _, way in ipairs(ways) do
  found[way.name] = {}
  for _, entry in ipairs(measures) do found[way.name][entry[1]] = {} end
  for seed = 1, o.seeds do
    local r = assert(run.read(way_to(way, seed)))
    local values = between(real, describe(paintings(r, count)))
    for name, value in pairs(losses(r)) do values[name] = value end
    for name, list in pairs(found[way.name]) do list[seed] = values[name] end
    values.event, values.way, values.seed = "run", way.name, seed
    local _, checkpoint = r:latest()
    values.checkpoint = assert(system.sha256_file(checkpoint))
    report:event(values)
  end
end
floor.event = "floor"
report:event(floor)

-- 3. The tables: every way's mean and standard deviation over the seeds, then differences.
report:say(("\n%s %dx%d, %d steps, seeds 1 to %d; losses over the last %d steps, distances of %d "
  .. "paintings from %d real pictures"):format(o.recipe, o.size.width, o.size.height, o.steps,
  o.seeds, o.last, count, count))
local head = "| mean ± standard deviation |"
for _, way in ipairs(ways) do head = head .. (" %s |"):format(way.name) end
report:say(head .. " real pictures |\n" .. ("|---"):rep(#ways + 2) .. "|")
for _, entry in ipairs(measures) do
  local key, line = entry[1], ("| %s |"):format(entry[2])
  for _, way in ipairs(ways) do
    local mean, std = spread.of(found[way.name][key])
    line = line .. (" %.4g ± %.2g |"):format(mean, std)
    report:event { event = "mean", way = way.name, measure = key, mean = mean, std = std }
  end
  report:say(line .. (floor[key] and (" %.4g |"):format(floor[key]) or " |"))
end
report:say("\n| difference from direct | | in standard deviations | p | |\n|---|---|---|---|---|")
for i = 2, #ways do
  local way = ways[i]
  for _, entry in ipairs(measures) do
    local d = spread.compare(found.direct[entry[1]], found[way.name][entry[1]])
    local within = d.p >= 0.05
    report:say(("| %s, %s | %+.3g | %+.2f | %.2g | %s |"):format(way.name, entry[2],
      d.difference, d.difference / d.pooled, d.p, within and "within the spread" or "apart"))
    d.event, d.way, d.against, d.measure = "difference", way.name, "direct", entry[1]
    d.within = within
    report:event(d)
  end
end
