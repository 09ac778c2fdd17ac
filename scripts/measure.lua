-- How far what a run paints is from the covers held out of a collection, beside what is possible.
--
--   daub measure runs/first covers
--   daub measure runs/first covers --against runs/second
--   daub measure paintings-of-another-program covers --size 192x64
local cli = require "daub.cli"
local o = cli.parse(arg, {
  name = "measure", summary = "distances between painted and real, diversity, memorisation",
  usage = "RUN COLLECTION",
  positional = { { "run", help = "folder of a run, or of pictures painted by another program" },
    { "collection", help = "collection, or a folder of pictures" } },
  options = {
    { "against", type = "path", value = "RUN2", help = "another run or folder: who leads" },
    { "count", type = "integer", value = "N", min = 10, max = 100000,
      help = "held-out covers, and paintings beside them at a time, at most (default: as many as "
        .. "are held out)" },
    { "step", type = "string", value = "N|best|latest",
      help = "the run's checkpoint (default: the best, or the latest where none was measured)" },
    { "size", type = "size", value = "WxH",
      help = "what folders are compared at (default: the run's, or 192x64)" },
    { "seed", type = "integer", value = "N", default = 1, min = 0, max = 2 ^ 53,
      help = "which pictures are painted" },
  },
  notes = "The floor of a distance is the same with training covers in place of paintings. All are "
    .. "means\nover four times as many paintings, or covers, as are compared at a time.",
})
local checkpoint = require "daub.checkpoint"
local gathered = require "daub.pictures"
local data = require "daub.learn.data"
local measure = require "daub.measure"
local plan = require "daub.learn.plan"
local run = require "daub.learn.run"
local sample = require "daub.paint.sample"
local words = require "daub.measure.words"
local report = cli.reporter(o)

local function must(value, message, code)
  if code == "interrupted" then cli.interrupted() end
  if not value then cli.fail("measure: " .. message) end
  return value, message
end

-- 1. What is measured, and at what size.
local painters, size = {}, o.size
for i, path in ipairs { o.run, o.against } do
  local r = run.exists(path) and must(run.read(path))
  painters[i] = { path = path, run = r, pictures = not r and must(data.folder(path)),
    label = path:match("([^/]*)/*$") }
  if r then
    local own = r.options.size
    size = size or own
    must(size.width == own.width and size.height == own.height, ("%s: paints %dx%d, not %dx%d")
      :format(path, own.width, own.height, size.width, size.height))
  end
end
size = size or plan.defaults.size

-- 2. The collection, parted as daub train does it.
local pictures = must(gathered.of(o.collection))
local packed = { width = size.width, height = size.height, cache = o.collection .. "/cache",
  report = report }
local learnt, held = data.split(pictures)
must(#held >= measure.least, ("%s: %d pictures, of which %d are held out (at least %d of those are "
  .. "needed: collect more)"):format(o.collection, #pictures, #held, measure.least))
local train, covers = must(data.open(learnt, packed)), must(data.open(held, packed))

-- 3. The paintings: of a run several times as many as there are held-out covers, of a folder as
-- many times that as it holds.
local TIMES = 4
local count = math.min(o.count or math.huge, covers:info().count, train:info().count)
for _, p in ipairs(painters) do
  count = math.min(count, p.pictures and #p.pictures or count)
  must(count >= measure.least, p.path .. ": neither a run nor a folder of enough pictures")
end
for i, p in ipairs(painters) do
  report:progress(("painting: %s"):format(p.path))
  if p.run then
    local options = p.run.options
    local step, path = must(p.run:checkpoint(i == 1 and o.step or nil))
    local painter = must(plan.painter(options, must(checkpoint.load(path))))
    p.label = ("%s %d"):format(p.label, step)
    p.painted = sample.many(painter, { seed = o.seed, count = TIMES * count,
      latent = options.settings.latent })
  else
    local used = count * math.min(TIMES, math.floor(#p.pictures / count))
    for k = #p.pictures, used + 1, -1 do p.pictures[k] = nil end
    p.painted = must(data.pixels(p.pictures, packed))
    must(p.painted.shape[1] == used, p.path .. ": some pictures cannot be read (mend or remove)")
  end
  p.title = ("%s: %d paintings"):format(p.label, p.painted.shape[1])
end

-- 4. The distances.
report:progress("measuring")
local ref = measure.reference(train, covers, { count = count, patches = 128, directions = 256 })
local found, names, titles = {}, {}, {}
for i, p in ipairs(painters) do
  found[i], names[i], titles[i] = measure.paintings(ref, p.painted), p.label, p.title
  local score, spread = measure.score(found[i])
  table.insert(found[i], { metric = "score", value = score, floor = 1, spread = spread })
  for _, entry in ipairs(found[i]) do
    report:event { run = o.against and p.path, metric = entry.metric, value = entry.value,
      floor = entry.floor }
  end
  local seen = p.run and p.run:learnt_from(held) or 0
  if seen > 0 then
    report:note(("%s: has learnt from %d of the %d held-out covers, and looks better than it is")
      :format(p.label, seen, #held))
  end
end
report:done()
report:say(("%s; %d at a time, beside as many held-out covers, %dx%d"):format(
  table.concat(titles, ", "), count, size.width, size.height))
for _, line in ipairs(words.table(found, names)) do report:say(line) end
return found
