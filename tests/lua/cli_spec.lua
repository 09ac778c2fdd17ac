local cli = require "daub.cli"
local daub = require "support.daub"
local nearest = require "daub.nearest"
local progress = require "daub.progress"
local recipes = require "daub.recipes"
local system = require "daub.core.system"

local spec = {
  name = "train", summary = "learns from a collection", usage = "COLLECTION --out RUN",
  positional = { { "collection", help = "folder" } },
  options = {
    { "out", type = "path", value = "RUN", required = true, help = "where it goes" },
    { "steps", type = "integer", value = "N", default = 100, min = 1, help = "how long" },
    { "rate", type = "number", default = 0.5, max = 1 },
    { "size", type = "size", value = "WxH", default = { width = 192, height = 64 } },
    { "set", type = "pair", value = "KEY=VALUE", repeated = true },
    { "who", type = "choice", choices = { "followers", "following", "both" }, default = "both" },
    { "from", type = "string", repeated = true },
    { "api", type = "string", follows = "from" },
    { "dry-run", type = "flag" },
  },
}

local function parse(...)
  return cli.parse({ ... }, spec)
end

local function usage_error(...)
  local ok, e = pcall(cli.parse, { ... }, spec)
  assert.is_false(ok)
  assert.are.equal(2, e.daub_exit)
  return e.message
end

describe("cli.parse", function()
  it("reads every type", function()
    local o = parse("covers", "--out", "runs/a", "--steps=5", "--rate", "0.25", "--size", "64x32",
      "--who", "following", "--dry-run")
    assert.are.equal("covers", o.collection)
    assert.are.equal("runs/a", o.out)
    assert.are.equal(5, o.steps)
    assert.are.equal(0.25, o.rate)
    assert.are.same({ width = 64, height = 32 }, o.size)
    assert.are.equal("following", o.who)
    assert.is_true(o.dry_run)
  end)

  it("fills in defaults and tells what was given", function()
    local o = parse("covers", "--out", "x", "--steps", "100")
    assert.are.equal(100, o.steps)
    assert.are.equal(0.5, o.rate)
    assert.are.same({ width = 192, height = 64 }, o.size)
    assert.are.same({}, o.set)
    assert.is_nil(o.dry_run)
    assert.are.same({ collection = true, out = true, steps = true },
      { collection = o.given.collection, out = o.given.out, steps = o.given.steps })
    assert.is_nil(o.given.rate)
  end)

  it("collects repeated options and those that follow them", function()
    local o = parse("c", "--out", "x", "--set", "a=1", "--set", "b.c=x=y", "--from", "one:a",
      "--from", "two:b", "--api", "http://localhost:1", "--from", "three:c")
    assert.are.same({ { key = "a", value = "1" }, { key = "b.c", value = "x=y" } }, o.set)
    assert.are.same({ { value = "one:a" }, { value = "two:b", api = "http://localhost:1" },
      { value = "three:c" } }, o.from)
    assert.matches("%-%-api comes after its %-%-from", usage_error("c", "--out", "x", "--api", "u"))
  end)

  it("takes negative numbers as values and -- as the end of options", function()
    assert.are.equal(-3, parse("c", "--out", "x", "--rate", "-3").rate)
    assert.are.equal("--odd", parse("--out", "x", "--", "--odd").collection)
    assert.are.equal("-", parse("--out", "x", "-").collection)
  end)

  it("names the nearest option", function()
    assert.are.equal("train: unknown option --stesp (did you mean --steps?)",
      usage_error("c", "--out", "x", "--stesp", "4"))
    assert.matches("unknown option %-%-zzzzzz %(see daub train %-%-help%)", usage_error("--zzzzzz"))
    assert.matches("did you mean %-%-quiet", usage_error("--quite"))
    assert.matches("unknown option %-x", usage_error("-x"))
  end)

  it("says what was expected", function()
    assert.matches("^train: COLLECTION is missing", usage_error("--out", "x"))
    assert.matches("%-%-out RUN is missing", usage_error("c"))
    assert.matches("unexpected argument 'd'", usage_error("c", "d", "--out", "x"))
    assert.matches("%-%-steps: a whole number expected, got '1.5'", usage_error("--steps", "1.5"))
    assert.matches("%-%-steps: at least 1 expected, got '0'", usage_error("--steps", "0"))
    assert.matches("%-%-steps: a whole number expected, got '0x10'", usage_error("--steps", "0x10"))
    assert.matches("%-%-rate: at most 1 expected", usage_error("--rate", "2"))
    assert.matches("%-%-rate: a number expected, got 'nan'", usage_error("--rate", "nan"))
    assert.matches("%-%-size: WIDTHxHEIGHT", usage_error("--size", "64"))
    assert.matches("%-%-size: WIDTHxHEIGHT", usage_error("--size", "0x64"))
    assert.matches("%-%-set: KEY=VALUE expected", usage_error("--set", "a"))
    assert.matches("both expected, got 'bth' %(did you mean both", usage_error("--who", "bth"))
    assert.matches("%-%-out needs a value", usage_error("c", "--out"))
    assert.matches("%-%-out needs a value", usage_error("c", "--out", "--steps", "3"))
    assert.matches("%-%-dry%-run takes no value", usage_error("--dry-run=yes"))
    assert.matches("%-%-threads: between 1 and 64", usage_error("--threads", "0"))
  end)

  it("sets the number of threads", function()
    local before = system.threads()
    parse("c", "--out", "x", "--threads", "1")
    assert.are.equal(1, system.threads())
    system.threads(before)
  end)

  it("makes --help of the same table", function()
    local text = cli.help(spec)
    assert.matches("^usage: daub train COLLECTION %-%-out RUN\nlearns from a collection\n", text)
    assert.matches("\n  %-%-steps N +how long %(default: 100%)\n", text)
    assert.matches("\n  %-%-out RUN +where it goes %(required%)\n", text)
    assert.matches("%-%-size WxH +%(default: 192x64%)", text)
    assert.matches("%-%-who followers|following|both", text)
    assert.matches("\n  %-%-json +one JSON object per line", text)
    for line in text:gmatch("[^\n]+") do assert.is_true(#line <= 100) end
  end)

  it("takes the rest of the arguments as a list", function()
    local many = { name = "x", summary = "",
      positional = { { "first" }, { "files", many = true } } }
    assert.are.same({ "b", "c" }, cli.parse({ "a", "b", "c" }, many).files)
    assert.is_false((pcall(cli.parse, { "a" }, many)))
    many.positional[2].required = false
    assert.are.same({}, cli.parse({ "a" }, many).files)
  end)
end)

describe("nearest", function()
  it("finds misspelt names only", function()
    local names = { "train", "paint", "collect", "sheet" }
    assert.are.equal("train", nearest.of("trian", names))
    assert.are.equal("collect", nearest.of("colect", names))
    assert.are.equal("collect", nearest.of("coll", names))
    assert.is_nil(nearest.of("zebra", names))
    assert.are.equal(0, nearest.distance("abc", "abc"))
    assert.are.equal(1, nearest.distance("abc", "acb"))
    assert.are.equal(3, nearest.distance("", "abc"))
  end)
end)

describe("progress", function()
  it("says durations, sizes and counts", function()
    assert.are.equal("0.5 s", progress.duration(0.5))
    assert.are.equal("59 s", progress.duration(59.4))
    assert.are.equal("1 min 00 s", progress.duration(59.6))
    assert.are.equal("3 min 20 s", progress.duration(200))
    assert.are.equal("1 h 05 min", progress.duration(3900))
    assert.are.equal("2 d 3 h", progress.duration(2 * 86400 + 3 * 3600 + 60))
    assert.are.equal("?", progress.duration(0 / 0))
    assert.are.equal("512 B", progress.bytes(512))
    assert.are.equal("3.4 MiB", progress.bytes(3.4 * 2 ^ 20))
    assert.are.equal("640 KiB", progress.bytes(640 * 1024))
    assert.are.equal("1 picture", progress.count(1, "picture"))
    assert.are.equal("0 entries", progress.count(0, "entry", "entries"))
    assert.are.equal(30, progress.remaining(25, 100, 10))
    assert.is_nil(progress.remaining(0, 100, 10))
  end)

  it("counts columns, not bytes", function()
    assert.are.equal(3, progress.width("äöü"))
    assert.are.equal(4, progress.width("日本"))
    assert.are.equal(2, progress.width("😀"))
    assert.are.equal(1, progress.width("e\204\129"))
    assert.are.equal("日…", progress.fit("日本語", 4))
    assert.are.equal("abc", progress.fit("abc", 3))
    assert.are.equal("ab…", progress.fit("abcd", 3))
  end)

  it("keeps control characters from the terminal", function()
    assert.are.equal(" [31mred  x", progress.plain("\27[31mred\n\194\155x"))
  end)
end)

-- Where standard error is no terminal: one line at once, the last at the end.
describe("a reporter", function()
  local program = [[
    local cli = require "daub.cli"
    local o = cli.parse(arg, {name = "t", summary = "t"})
    local report = cli.reporter(o)
    for i = 1, 50 do report:progress("picture " .. i, i / 50) end
    report:note("waiting")
    report:event{event = "x", n = 1}
    report:say("result")
    report:done()
  ]]
  local function run(...)
    local arguments, result = { ... }, nil
    daub.in_folder(function(folder)
      assert(system.write_file(folder .. "/t.lua", program))
      result = daub.run { folder .. "/t.lua", unpack(arguments) }
    end)
    assert.are.equal(0, result.code)
    return result
  end

  it("speaks to people on standard error", function()
    local r = run()
    assert.are.equal("result\n", r.out)
    assert.are.equal("picture 1\nwaiting\npicture 50\n", r.err)
  end)

  it("speaks JSON on standard output", function()
    local r = run("--json")
    assert.are.equal('{"event":"x","n":1}\n', r.out)
    assert.are.equal("picture 1\nwaiting\npicture 50\n", r.err)
  end)

  it("is quiet when asked", function()
    local r = run("--quiet")
    assert.are.equal("result\n", r.out)
    assert.are.equal("", r.err)
  end)
end)

describe("recipes", function()
  it("declare their options in a table that help reads without running them", function()
    for _, name in ipairs(recipes.names()) do
      local declared, message = recipes.spec(name)
      assert(declared, ("%s: %s"):format(name, message))
      assert.are.equal(name, declared.name)
      assert.is_true(#declared.summary > 0)
      assert.is_string(cli.help(declared))
      local lines = 0
      for _ in io.lines(recipes.path(name)) do lines = lines + 1 end
      assert.is_true(lines <= 120, name .. " is longer than 120 lines")
    end
  end)

  it("are not found by paths", function()
    assert.is_nil(recipes.path("../lua/daub/cli"))
    assert.is_nil(recipes.path("nosuch"))
  end)
end)
