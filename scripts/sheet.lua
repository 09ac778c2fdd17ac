-- Lays the pictures of a collection out on one sheet, to see what was collected.
--
--   daub sheet covers --out sheet.png
--   daub sheet covers --out newest.jpg --order newest --count 60 --cell 300x100
local cli = require "daub.cli"
local collection = require "daub.collect.collection"
local image = require "daub.image"
local json = require "daub.json"
local sheet = require "daub.show.sheet"
local system = require "daub.core.system"

local o = cli.parse(arg, {
  name = "sheet",
  summary = "collection -> contact sheet: the collected pictures side by side",
  usage = "COLLECTION --out PNG",
  positional = { { "collection", help = "folder of a collection" } },
  options = {
    { "out", type = "path", value = "PNG", required = true,
      help = "where it goes; .png, .jpg or .webp. What it shows is written beside it (.json)" },
    { "count", type = "integer", value = "N", min = 1, default = 240, help = "pictures at most" },
    { "columns", type = "integer", value = "N", min = 1,
      help = "pictures in a row (default: what makes the sheet about 4:3)" },
    { "cell", type = "size", value = "WxH", default = { width = 240, height = 80 },
      help = "size of each picture" },
    { "order", type = "choice", choices = { "colour", "random", "newest" }, default = "colour",
      help = "a random choice laid out by colour, a random one as it comes, or the newest" },
    { "by", type = "choice", choices = { "theme" },
      help = "one theme below the other: landscapes, text, abstract designs, objects" },
    { "seed", type = "integer", value = "N", min = 0, default = 1, help = "of the random choice" },
  },
})
local report = cli.reporter(o)

local stem, ending = o.out:match("^(.*)%.(%w+)$")
local endings = { png = true, jpg = true, jpeg = true, webp = true }
if not stem or not endings[ending:lower()] then
  cli.exit(2, ("sheet: --out %s: a name ending in .png, .jpg or .webp expected"):format(o.out))
end

-- 1. Choose, decode, lay out.
local covers, message = collection.open(o.collection)
if not covers then cli.fail(message) end
local pixels, info, code = sheet.make(covers, { count = o.count, columns = o.columns, cell = o.cell,
  order = o.order, by = o.by, seed = o.seed, on_progress = function(done, total)
    report:progress(("%d of %d pictures"):format(done, total), done / total)
  end })
covers:close()
if code == "interrupted" then cli.interrupted() end
if not pixels then cli.fail(info) end
report:done()

-- 2. Save it, and beside it what it shows.
local saved, why = system.make_directory(o.out:match("^(.*)/[^/]*$") or ".")
if not saved then cli.fail(why) end
saved, why = image.save(o.out, pixels)
if not saved then cli.fail(why) end
saved, why = system.write_file(stem .. ".json", json.pretty({ collection = o.collection,
  order = o.order, by = o.by, seed = o.seed, cell = o.cell, columns = info.columns,
  rows = info.rows, pictures = info.pictures, themes = info.themes }))
if not saved then cli.fail(why) end
report:event({ event = "done", out = o.out, pictures = #info.pictures, columns = info.columns,
  rows = info.rows })
report:say(o.out)
