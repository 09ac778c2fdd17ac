-- The whole way in one go: collect, lay out, train, paint, enlarge. Stop it when you like; the
-- same command goes on where it stopped. --from demo needs no network and no account.
local cli = require "daub.cli"
local sizes = require "daub.sizes"
local o = cli.parse(arg, {
  name = "cover", summary = "from people's covers to one of your own, in one go",
  usage = "--from SOURCE:WHO",
  options = {
    { "from", type = "string", value = "SOURCE:WHO", repeated = true, required = true,
      help = "whose covers, as for collect; or demo: pictures the program paints itself" },
    { "api", type = "string", value = "URL", follows = "from",
      help = "another server for the source before it" },
    { "who", type = "choice", value = "WHO", help = "which people",
      choices = { "followers", "following", "both", "mutuals", "friends" } },
    { "limit", type = "integer", value = "N", min = 1, help = "at most so many people" },
    { "yes", type = "flag", help = "does not ask what collect would ask (prices)" },
    { "in", type = "path", value = "DIR", help = "folder for everything (default: ./daub-WHO)" },
    { "minutes", type = "number", value = "M", min = 0,
      help = "time to learn, a tenth of it to enlarge (default: 60; demo: 7; or by --steps)" },
    { "steps", type = "integer", value = "N", min = 1, help = "train until step N" },
    { "size", type = "size", value = "WxH",
      help = "size to train at (default: 192x64 or 96x32)" },
    { "recipe", type = "choice", choices = { "dcgan", "tiny", "lite", "base" }, value = "NAME",
      help = "networks (default: tiny, lite or base, by size and time)" },
    { "set", type = "pair", value = "KEY=VALUE", repeated = true, help = "as for train" },
    { "for", type = "choice", value = "NETWORK", choices = sizes.names, default = "x",
      help = "whose size to paint" },
    { "count", type = "integer", value = "N", min = 1, default = 12, help = "paintings" },
    { "pictures", type = "integer", value = "N", min = 1, default = 600,
      help = "synthetic covers of the demo" },
    { "seed", type = "integer", value = "N", min = 0, default = 1,
      help = "random numbers of everything" },
  },
})
local collection = require "daub.collect.collection"
local data = require "daub.learn.data"
local demo = require "daub.demo"
local json = require "daub.json"
local plan = require "daub.learn.plan"
local system = require "daub.core.system"
local report = cli.reporter(o)

local is_demo = #o.from == 1 and o.from[1].value == "demo"
local who = o.from[1].value:gsub("^%w+:", ""):gsub("[^%w._@-]+", "-"):gsub("^%-+", "")
local folder = o["in"] or "./daub-" .. who
local covers, run, paintings = folder .. "/covers", folder .. "/run", folder .. "/paintings"

local function must(value, message, code)
  if not value then cli.exit(code == "usage" and 2 or 1, "cover: " .. message) end
  return value
end

local function add(args, ...)
  for _, word in ipairs { ... } do args[#args + 1] = ("%s"):format(word) end
end

-- Runs a recipe with its own arguments and those all recipes share.
local function stage(name, args, optional)
  for _, key in ipairs { "who", "limit", "minutes", "steps", "recipe", "seed", "for", "count" } do
    if optional[key] then add(args, "--" .. key, optional[key]) end
  end
  if o.json then add(args, "--json") end
  if o.quiet then add(args, "--quiet") end
  return cli.run_recipe(name, args)
end

-- A new run's options are looked at first: an hour of collecting should not end with a wrong word.
local is_new = not system.stat(run .. "/run.json")
if is_new then must(plan.options { recipe = o.recipe, size = o.size, set = o.set }) end

-- 1. The collection; a finished one is not asked for again.
local sources = { covers }
if is_demo then
  local pictures = folder .. "/demo-pictures"
  must(demo.write(pictures, { count = o.pictures, seed = o.seed, progress = function(done, count)
    report:progress(("painting the demo's covers: %d of %d"):format(done, count), done / count)
    if system.interrupted() then cli.interrupted("the same command goes on") end
  end }))
  report:done()
  o.from[1].value = "folder:" .. pictures
end
for _, from in ipairs(o.from) do
  add(sources, "--from", from.value, from.api and "--api", from.api)
end
if o.yes then add(sources, "--yes") end
local asked = json.encode { from = o.from, who = o.who, limit = o.limit,
  pictures = is_demo and o.pictures or nil }
if system.read_file(folder .. "/collected.json", 2 ^ 20) ~= asked then
  stage("collect", sources, { who = o.who, limit = o.limit })
  stage("sheet", { covers, "--out", covers .. "/sheet.png" }, {})
  must(system.write_file(folder .. "/collected.json", asked))
end

-- 2. The run. One that was begun keeps its options; of a new one daub train chooses what is not
-- given.
local training = { covers, "--out", run, "--resume" }
for _, pair in ipairs(o.set) do add(training, "--set", pair.key .. "=" .. pair.value) end
if o.size then add(training, "--size", ("%dx%d"):format(o.size.width, o.size.height)) end
local minutes = o.minutes or not o.steps and (is_demo and 7 or 60) or nil
stage("train", training, { steps = o.steps, seed = o.given.seed and o.seed, recipe = o.recipe,
  minutes = minutes and 0.9 * minutes })

-- 3. What enlarges the paintings, if there are pictures enough to hold some out.
local count = #must(must(collection.open(covers)):pictures())
if count >= data.fewest and not system.stat(run .. "/upscaler.safetensors") then
  stage("upscaler", { covers, "--out", run }, { seed = o.seed, minutes = minutes and 0.1 * minutes,
    steps = o.steps and math.ceil(o.steps / 10) })
end

-- 4. The paintings; the best one first.
stage("paint", { run, "--out", paintings, "--grid", "4x8" }, { seed = o.seed })
local choose = { run, "--out", paintings }
add(choose, "--best-of", math.max(256, o.count))
local painted = stage("paint", choose, { seed = o.seed, ["for"] = o["for"], count = o.count })
report:say(("collection: %s (sheet.png)\nrun: %s (samples/)\npaintings: %s"):format(covers, run,
  paintings))
report:event { event = "done", cover = painted[1], collection = covers, run = run }
report:say(painted[1])
